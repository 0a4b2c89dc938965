"""Go programs on a live board: shipped once, heard while they run, ended when they must be."""

import contextlib
import time

import pytest

from labkit import golang
from labkit.errors import BinaryError, CommandTimeout, FileTrouble, OutputFlood, ToolchainError

ECHO = """package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Println(os.Args[1:], os.Getenv("COLOUR"))
	fmt.Fprintln(os.Stderr, "to stderr")
	if len(os.Args) > 2 {
		os.Exit(7)
	}
}
"""


@pytest.fixture
def clean(board):
    """The board with nothing shipped to it, before and after."""
    golang.clear(board)
    yield board
    golang.clear(board)


def build(body, imports="", name="program"):
    text = f"package main\n{imports}\nfunc main() {{ {body} }}\n"
    return golang.build(text, name=name)


def test_a_program_gets_its_arguments_and_environment(clean):
    echo = golang.build(ECHO, name="echo")
    ended = golang.run_on(clean, echo, ["it's $HOME"], {"COLOUR": "blue"})
    assert (ended.stdout, ended.stderr) == ("[it's $HOME] blue\n", "to stderr\n")
    assert ended.command == "echo 'it'\"'\"'s $HOME'"
    assert golang.run_on(clean, echo, [1, 2]).exit_status == 7


def test_it_is_shipped_once_and_again_after_a_reset(clean, monkeypatch):
    sent = []
    real = clean._transport.put
    monkeypatch.setattr(
        type(clean._transport),
        "put",
        lambda self, local, remote, *, mode: sent.append(remote) or real(local, remote, mode=mode),
    )
    echo = golang.build(ECHO, name="echo")
    for _ in range(3):
        assert golang.run_on(clean, echo).ok
    assert len(sent) == 1
    monkeypatch.undo()
    clean.reset()
    assert golang.run_on(clean, echo).ok


def test_output_is_heard_while_the_program_runs(clean):
    talker = build(
        "for i := range 3 { fmt.Println(i); time.Sleep(300 * time.Millisecond) }",
        'import ("fmt"; "time")',
    )
    heard = []
    golang.run_on(clean, talker, hear=lambda out, err: heard.append((out, time.monotonic())))
    assert b"".join(out for out, _ in heard) == b"0\n1\n2\n"
    assert time.monotonic() - heard[0][1] > 0.5


def test_a_program_that_never_ends_is_ended(clean):
    endless = build("for {}", name="endless")
    with pytest.raises(CommandTimeout, match="`endless` ran past 1 s and was ended"):
        golang.run_on(clean, endless, timeout=1)
    assert not clean.run("pgrep -x endless").ok


def test_a_program_that_prints_and_prints_is_ended(clean):
    flood = build(
        'for range 1600000 { fmt.Println("sixty-three letters and a newline: " + fill) }',
        'import "fmt"\n\nconst fill = "a line of some length"',
        name="flood",
    )
    with pytest.raises(OutputFlood, match=r"flood printed more than 1 MiB and was ended") as no:
        golang.run_on(clean, flood, limit=2**20)
    assert no.value.result.stdout.startswith("sixty-three")
    assert not clean.run("pgrep -x flood").ok


def test_a_death_by_signal_is_told_as_a_shell_does(clean):
    code = "TEXT ·wrong(SB),$0\n\tWORD $0\n\tRET\n"
    files = {
        "main.go": 'package main\n\nimport "syscall"\n\nfunc wrong()\n\nfunc main() {\n'
        "\tsyscall.Kill(syscall.Getpid(), syscall.SIGKILL)\n\twrong()\n}\n",
        "wrong_arm64.s": code,
    }
    assert golang.run_on(clean, golang.build(files)).exit_status == 128 + 9


def test_what_is_no_program_for_arm_is_not_shipped(clean, tmp_path):
    foreign = golang.build("package main\nfunc main() {}\n", GOARCH="amd64", name="foreign")
    text = tmp_path / "text"
    text.write_text("hello\n")
    for path, words in {
        foreign: "foreign is a program for amd64; expected one for arm64",
        text: "text is no ELF file",
        tmp_path / "none": "No such file",
    }.items():
        with pytest.raises(BinaryError, match=words):
            golang.run_on(clean, path)
    assert not clean.run("ls %s/programs", clean.facts.cache_folder).ok


def test_a_full_disk_is_said_and_leaves_nothing(clean):
    folder = clean.facts.cache_folder
    clean.check("mkdir -p %s", folder)
    clean.check("mount -t tmpfs -o size=1m,mode=777 none %s", folder, sudo=True)
    try:
        with pytest.raises(FileTrouble, match="a full disk"):
            golang.run_on(clean, build("println(1)", name="large"))
        assert clean.run("find %s -type f", folder).stdout == ""
        with pytest.raises(FileTrouble, match="MiB free; expected .* for a Go toolchain"):
            golang.ship_toolchain(clean)
    finally:
        clean.check("umount %s", folder, sudo=True)


def test_clearing_takes_away_what_was_shipped_and_nothing_else(clean):
    golang.run_on(clean, build("println(1)"))
    clean.check("touch .cache/mine")
    golang.clear(clean)
    assert clean.run("ls -A .cache").stdout == "mine\n"
    clean.check("rm .cache/mine")


@pytest.mark.slow
def test_a_toolchain_is_shipped_listed_and_removed(clean):
    go = golang.ship_toolchain(clean)
    said = clean.check("%s env GOVERSION GOROOT", go.go, env={"GOTOOLCHAIN": "local"})
    assert said.lines == [f"go{go.version}", go.root]
    assert golang.installed_on(clean) == [go]
    began = time.monotonic()
    assert golang.ship_toolchain(clean) == go
    assert time.monotonic() - began < 3
    golang.remove_from(clean, go.version)
    assert golang.installed_on(clean) == []
    with pytest.raises(ToolchainError, match="has put no Go"):
        golang.remove_from(clean, go.version)


@pytest.fixture
def cell(clean):
    """A function that runs a cell as a notebook does, and gives what it printed and raised."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.user_ns["board"] = clean
    shell.run_cell("%load_ext labkit")

    def run(text):
        with capture_output() as said, contextlib.suppress(Exception):
            result = shell.run_cell(text)
        return said.stdout, said.stderr, result.error_in_exec, shell.user_ns

    yield run
    InteractiveShell.clear_instance()


def test_a_go_cell_is_vetted_built_and_run_on_the_board(cell):
    told = "%%go --env A=b --result said --binary built --source text one\n"
    program = 'package main\n\nimport ("fmt"; "os")\n\n'
    program += 'func main() { fmt.Printf("%d\\n"); fmt.Println(os.Args[1], os.Getenv("A")) }\n'
    out, err, error, names = cell(told + program)
    assert error is None
    assert "one b" in out
    assert err == "vet: cell.go:6: fmt.Printf format %d reads arg #1, but call has 0 args\n"
    assert names["said"].stdout.endswith("one b\n")
    assert names["built"].elf.machine == "AArch64"
    assert names["text"] == program


def test_a_go_cell_counts_lines_as_the_cell_does(cell):
    _, _, error, _ = cell("%%go\npackage main\n\nfunc main() { x() }")
    assert "cell.go:4" in error.said
    assert "undefined: x" in str(error)


def test_a_go_cell_that_fails_is_an_error_unless_it_may(cell):
    program = "\npackage main\n\nfunc main() { panic(1) }"
    _, err, error, _ = cell("%%go" + program)
    assert "panic: 1" in err
    assert "the program ended with status 2" in str(error)
    out, _, error, _ = cell("%%go --may-fail" + program)
    assert error is None
    assert "[status 2]" in out


def test_a_go_cell_without_a_board_says_what_to_type(cell):
    _, _, error, _ = cell("%%go --board nowhere\npackage main\n\nfunc main() {}")
    assert 'Next: nowhere = labkit.open_board("debian-12")' in str(error)


def test_an_edited_go_cell_runs_again_soon(cell):
    cell("%%go\npackage main\n\nfunc main() { println(0) }")
    began = time.monotonic()
    _, err, _, _ = cell("%%go\npackage main\n\nfunc main() { println(1) }")
    assert err == "1\n"
    assert time.monotonic() - began < 5  # its speed is measured elsewhere, on a quiet machine
