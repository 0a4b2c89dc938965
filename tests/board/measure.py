"""The figures of the README and the closing notes, measured on this machine in one run.

    .venv/bin/python tests/board/measure.py

Two things that are compared are measured in turn, A B A B, and given as a ratio, for a
machine's speed drifts. Run it while nothing else runs.
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


def seconds(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def say(what: str, values: list[float], unit: str = "s") -> None:
    low, middle, high = min(values), statistics.median(values), max(values)
    print(f"{what:58} {middle:8.3f} {unit}  ({low:.3f} to {high:.3f}, {len(values)} times)")


def ratio(ones: list[float], others: list[float]) -> list[float]:
    return [one / other for one, other in zip(ones, others, strict=True)]


def commands() -> None:
    """How long the commands of a user take, Python's own start included."""
    script = Path(sys.executable).with_name("labkit")
    up, reset = [], []
    for _ in range(5):
        subprocess.run([script, "board", "down", NAME], check=True, capture_output=True)
        up.append(seconds(lambda: subprocess.run([script, "board", "up", NAME], check=True)))
        reset.append(seconds(lambda: subprocess.run([script, "board", "reset", NAME], check=True)))
    say("labkit board up, from the snapshot", up)
    say("labkit board reset", reset)
    line = [sys.executable, "-c", "import labkit"]
    bare = [sys.executable, "-c", "pass"]
    times = [
        (seconds(lambda: subprocess.run(line)), seconds(lambda: subprocess.run(bare)))
        for _ in range(9)
    ]
    say("import labkit, in a new Python (less the Python)", [a - b for a, b in times])


def round_trips(board: labkit.Board) -> None:
    """What a command costs, and many files at once, against OpenSSH's own best."""
    transport = board._transport
    assert isinstance(transport, SshTransport)
    with tempfile.TemporaryDirectory() as directory:
        control = ["-o", f"ControlPath={directory}/%C"]
        *ssh, place = openssh_argv(transport.target)
        subprocess.run([*ssh, *control, "-M", "-N", "-f", place], check=True)
        theirs = [*ssh, *control, place, "true"]
        files = board.run("find /sys/devices/system/cpu /sys/kernel/mm -type f -readable").lines[
            :50
        ]
        assert len(board.read_many(files)) >= 45, "some of sysfs cannot be read; most can"
        pairs = [
            (
                seconds(lambda: board.run("true")),
                seconds(lambda: subprocess.run(theirs, check=True)),
                seconds(lambda: board.read_many(files)),
                seconds(lambda: board.run("/bin/true")),
            )
            for _ in range(40)
        ]
        subprocess.run([*ssh, *control, "-O", "exit", place], capture_output=True)
    ours, their, many, program = (list(column) for column in zip(*pairs, strict=True))
    say('board.run("true")', ours)
    say("ssh with ControlMaster, true", their)
    say("ratio of the two, pair by pair", ratio(ours, their), "")
    say(f"read_many of {len(files)} files of sysfs", many)
    # `true` is part of the shell; reading files starts a program, and so does /bin/true.
    say('ratio of read_many to board.run("/bin/true")', ratio(many, program), "")
    say('ratio of read_many to board.run("true")', ratio(many, ours), "")


def go_cells() -> None:
    """An edited %%go cell, from Enter to its last output, caches warm."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.run_cell(f"%load_ext labkit\nimport labkit\nboard = labkit.open_board({NAME!r})")
    times = []
    for number in range(9):
        said = f'fmt.Println("{number} of {time.time()}")'
        cell = f'%%go\npackage main\n\nimport "fmt"\n\nfunc main() {{ {said} }}\n'
        times.append(seconds(functools.partial(shell.run_cell, cell)))
    say("%%go, a program edited and run again", times[1:])


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
        say("56 builds with 7 versions, build caches empty", [seconds(build_all)])
        say("the same 56 again", [seconds(build_all)])
        hello = f"// again\n{hello}"
        server = f"// again\n{server}"
        say("56 builds of edited programs, caches warm", [seconds(build_all)])
        del os.environ["GOCACHE"]
    big = golang.build(hello)
    say(f"census of {big.size:,} bytes", [seconds(lambda: golang.instruction_mix(big)) for _ in range(5)])


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
