"""The figures of the README and the closing notes, measured on this machine in one run.

    .venv/bin/python tests/board/measure.py

Two things that are compared are measured in turn, A B A B, and reported as a ratio, because the
speed of a machine drifts. Run it while nothing else runs.
"""

from __future__ import annotations

import functools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import labkit
from labkit import golang
from labkit.boards.ssh.argv import openssh_argv
from labkit.boards.ssh.transport import SshTransport
from labkit.golang.dist.bootstrap import VERSIONS

NAME = "debian-12@measure"


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def report(name: str, values: list[float], unit: str = "s") -> None:
    low, median, high = min(values), statistics.median(values), max(values)
    print(f"{name:58} {median:8.3f} {unit}  ({low:.3f} to {high:.3f}, {len(values)} times)")


def ratio(numerators: list[float], denominators: list[float]) -> list[float]:
    return [a / b for a, b in zip(numerators, denominators, strict=True)]


def commands() -> None:
    """How long the commands of a user take, Python's own start included."""
    script = Path(sys.executable).with_name("labkit")
    up, reset = [], []
    for _ in range(5):
        subprocess.run([script, "board", "down", NAME], check=True, capture_output=True)
        up.append(seconds(lambda: subprocess.run([script, "board", "up", NAME], check=True)))
        reset.append(seconds(lambda: subprocess.run([script, "board", "reset", NAME], check=True)))
    report("labkit board up, from the snapshot", up)
    report("labkit board reset", reset)
    line = [sys.executable, "-c", "import labkit"]
    bare = [sys.executable, "-c", "pass"]
    times = [
        (seconds(lambda: subprocess.run(line)), seconds(lambda: subprocess.run(bare)))
        for _ in range(9)
    ]
    report("import labkit, in a new Python (less the Python)", [a - b for a, b in times])


def round_trips(board: labkit.Board) -> None:
    """What a command costs, and many files at once, against OpenSSH's own best."""
    transport = board._transport
    assert isinstance(transport, SshTransport)
    with tempfile.TemporaryDirectory() as directory:
        control = ["-o", f"ControlPath={directory}/%C"]
        *ssh, host = openssh_argv(transport.target)
        subprocess.run([*ssh, *control, "-M", "-N", "-f", host], check=True)
        openssh_true = [*ssh, *control, host, "true"]
        files = board.run("find /sys/devices/system/cpu /sys/kernel/mm -type f -readable").lines[
            :50
        ]
        assert len(board.read_many(files)) >= 45, "some of sysfs cannot be read; most can"
        pairs = [
            (
                seconds(lambda: board.run("true")),
                seconds(lambda: subprocess.run(openssh_true, check=True)),
                seconds(lambda: board.read_many(files)),
                seconds(lambda: board.run("/bin/true")),
            )
            for _ in range(40)
        ]
        subprocess.run([*ssh, *control, "-O", "exit", host], capture_output=True)
    labkit_true, openssh, many, program = (list(column) for column in zip(*pairs, strict=True))
    report('board.run("true")', labkit_true)
    report("ssh with ControlMaster, true", openssh)
    report("ratio of the two, pair by pair", ratio(labkit_true, openssh), "")
    report(f"read_many of {len(files)} files of sysfs", many)
    # `true` is part of the shell; reading files starts a program, and so does /bin/true.
    report('ratio of read_many to board.run("/bin/true")', ratio(many, program), "")
    report('ratio of read_many to board.run("true")', ratio(many, labkit_true), "")


def go_cells() -> None:
    """An edited %%go cell, from Enter to its last output, caches warm."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.run_cell(f"%load_ext labkit\nimport labkit\nboard = labkit.open_board({NAME!r})")
    times = []
    for number in range(9):
        body = f'fmt.Println("{number} of {time.time()}")'
        cell = f'%%go\npackage main\n\nimport "fmt"\n\nfunc main() {{ {body} }}\n'
        times.append(seconds(functools.partial(shell.run_cell, cell)))
    report("%%go, a program edited and run again", times[1:])


def go_matrix() -> None:
    """Two programs by seven versions of Go with four sets of flags: first, and again."""
    mark = f"// {time.time()}\npackage main\n\n"
    hello = f'{mark}import "fmt"\n\nfunc main() {{ fmt.Println("hello") }}\n'
    server = f'{mark}import "net/http"\n\nfunc main() {{ http.NotFoundHandler() }}\n'
    flags = ("", "-w", "-s", "-s -w")
    for version in VERSIONS:
        golang.toolchain(version)  # fetching them is not measured

    def build_all() -> None:
        for version in VERSIONS:
            for source in (hello, server):
                for flag in flags:
                    golang.build(source, version=version, ldflags=flag)

    with tempfile.TemporaryDirectory() as cache:
        os.environ["GOCACHE"] = cache
        report("56 builds with 7 versions, build caches empty", [seconds(build_all)])
        report("the same 56 again", [seconds(build_all)])
        hello = f"// again\n{hello}"
        server = f"// again\n{server}"
        report("56 builds of edited programs, caches warm", [seconds(build_all)])
        del os.environ["GOCACHE"]
    big = golang.build(hello)
    times = [seconds(lambda: golang.instruction_mix(big)) for _ in range(5)]
    report(f"instruction mix of {big.size:,} bytes", times)


def main() -> None:
    with labkit.open_board(NAME) as board:
        print(board)
    commands()
    with labkit.open_board(NAME) as board:
        round_trips(board)
    go_cells()
    go_matrix()
    subprocess.run([Path(sys.executable).with_name("labkit"), "board", "down", NAME], check=True)


if __name__ == "__main__":
    main()
