"""Go programs on a live board: uploaded once, their output, their limits, and their removal."""

import gc
import itertools
import time
import tracemalloc
from contextlib import contextmanager

import nbformat
import pytest
from nbclient import NotebookClient

from labkit.errors import (
    CommandTimeout,
    GoError,
    OutputLimitExceeded,
    RemoteFileError,
    ToolchainError,
)
from labkit.golang import (
    build,
    install_on,
    installed_on,
    remove_from,
    remove_uploads,
    run_on,
    toolchain,
    upload,
)

REPORTING = """package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Println(os.Args[1:], os.Getenv("WORD"))
	fmt.Fprintln(os.Stderr, "to stderr")
	os.Exit(3)
}
"""

HELLO = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") }\n'

FOREVER = (
    'package main\n\nimport "fmt"\n\nfunc main() {\n\tfmt.Println("started")\n\tfor {\n\t}\n}\n'
)

FLOOD = """package main

import "os"

func main() {
	for range 100 {
		os.Stdout.Write(make([]byte, 1<<20))
	}
}
"""

SLOWLY = """package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	fmt.Println("one")
	time.Sleep(time.Second)
	fmt.Fprintln(os.Stderr, "two")
}
"""

# With -E main.trap the program starts there: Go's own handling of signals is not set up yet.
TRAP = {
    "main.go": "package main\n\nfunc trap()\n\nfunc main() { trap() }\n",
    "trap_arm64.s": "TEXT \N{MIDDLE DOT}trap(SB),4,$0-0\n\tWORD $0\n\tRET\n",
}

PANICKING = (
    'package main\n\nimport "os"\n\nfunc main() {\n\tpanic("no " + os.Args[0][:0] + "more")\n}\n'
)


@pytest.fixture
def shell(shell, board):
    """A real IPython with the board in a variable, and no variables of the test before."""
    shell.reset(new_session=False)
    shell.user_ns["board"] = board
    return shell


@pytest.fixture
def put(board, monkeypatch):
    """The paths of the uploads, in order."""
    original, uploads = type(board._transport).put, []

    def recorded(self, local, remote, *, mode):
        uploads.append(remote)
        original(self, local, remote, mode=mode)

    monkeypatch.setattr(type(board._transport), "put", recorded)
    return uploads


def runs(board, name):
    return board.run("pgrep -x %s", name).ok


def files(board):
    """The paths below the directory of uploads."""
    return sorted(board.run("find %s -mindepth 1 2>/dev/null", board.facts.cache_dir).lines)


@contextmanager
def one_megabyte(board):
    """A board with one megabyte of space for programs."""
    directory = board.facts.cache_dir
    remove_uploads(board)
    board.check("mkdir -p %s", directory)
    options = f"size=1m,mode=755,uid={board.facts.uid}"
    board.check("mount -t tmpfs -o %s labkit-test %s", options, directory, sudo=True)
    try:
        yield
    finally:
        board.check("umount %s", directory, sudo=True)


def test_status_both_streams_arguments_and_environment_arrive(board):
    result = run_on(
        board, build(REPORTING, name="reporting"), ["a b", "$HOME", 3], {"WORD": "it's"}
    )
    assert (result.stdout, result.stderr) == ("[a b $HOME 3] it's\n", "to stderr\n")
    assert result.exit_status == 3
    assert result.command == "reporting 'a b' '$HOME' 3"


def test_a_program_runs_as_root_if_requested(board):
    text = 'package main\n\nimport "os"\n\nfunc main() { os.Exit(os.Getuid() & 127) }\n'
    program = build(text, name="whoami")
    assert run_on(board, program).exit_status == board.facts.uid & 127
    assert run_on(board, program, sudo=True).exit_status == 0


def test_what_go_prints_about_a_panic_is_in_the_result(board):
    result = run_on(board, build(PANICKING, name="panics"))
    assert result.exit_status == 2
    assert result.stderr.startswith("panic: no more\n\ngoroutine 1 [running]:\n")


def test_an_instruction_the_processor_does_not_have_is_status_132(board):
    result = run_on(board, build(TRAP, name="trap", ldflags="-E main.trap"))
    assert result.exit_status == 128 + 4


def test_a_loop_for_ever_is_ended_on_the_board(board, eventually):
    with pytest.raises(CommandTimeout, match="`forever` ran past 2 s") as error:
        run_on(board, build(FOREVER, name="forever"), timeout=2)
    assert error.value.result.stdout == "started\n"
    assert "\n" not in str(error.value)
    eventually(lambda: not runs(board, "forever"))


def test_a_flood_is_ended_on_the_board_and_does_not_fill_the_memory(board, eventually):
    program = build(FLOOD, name="flood")
    upload(board, program)
    tracemalloc.start()
    start = time.monotonic()
    try:
        with pytest.raises(OutputLimitExceeded, match="flood printed more than 2 MiB") as error:
            run_on(board, program, output_limit=2 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.monotonic() - start < 15
    assert peak < 32 << 20
    assert 0 < len(error.value.result.stdout) <= 2000
    assert "output_limit=BYTES" in error.value.hint
    eventually(lambda: not runs(board, "flood"))
    gc.collect()


def test_output_within_the_limit_is_no_flood(board):
    result = run_on(board, build(SLOWLY, name="slowly"), output_limit=8)
    assert (result.stdout, result.stderr) == ("one\n", "two\n")
    with pytest.raises(OutputLimitExceeded):
        run_on(board, build(SLOWLY, name="slowly"), output_limit=7)


def test_output_arrives_while_the_program_runs(board):
    pieces = []

    def on_output(out, err):
        pieces.append((time.monotonic(), out, err))

    run_on(board, build(SLOWLY, name="slowly"), on_output=on_output)
    assert [piece[1:] for piece in pieces] == [(b"one\n", b""), (b"", b"two\n")]
    assert pieces[1][0] - pieces[0][0] > 0.7


@pytest.mark.parametrize("kind", [RuntimeError, OSError])
def test_an_exception_of_the_callback_ends_the_program_on_the_board(board, eventually, kind):
    def on_output(out, err):
        raise kind("enough")

    with pytest.raises(kind, match="enough"):
        run_on(board, build(FOREVER, name="forever"), on_output=on_output)
    eventually(lambda: not runs(board, "forever"))
    assert board.check("echo usable").stdout == "usable\n"


def test_a_program_is_uploaded_once_and_again_when_the_board_lost_it(board, put):
    remove_uploads(board)
    program = build(HELLO, name="hello")
    for _ in range(2):
        assert run_on(board, program).stdout == "hello\n"
    assert put == [upload(board, program)]
    board.check("sh -c 'echo broken >%s'", put[0])
    assert run_on(board, program).stdout == "hello\n"
    assert len(put) == 2


def test_removing_uploads_removes_nothing_else(board):
    upload(board, build(HELLO, name="hello"))
    other = board.facts.cache_dir.rpartition("/")[0] + "/other"
    board.check("touch %s", other)
    try:
        assert files(board)
        remove_uploads(board)
        assert files(board) == []
        assert not board.run("test -e %s", board.facts.cache_dir).ok
        assert board.run("test -e %s", other).ok
        remove_uploads(board)
    finally:
        board.check("rm -f %s", other)


def test_a_full_board_is_one_line_and_nothing_is_left(board):
    program = build(HELLO, name="hello")
    with one_megabyte(board):
        with pytest.raises(RemoteFileError, match="hello cannot be copied.*full disk") as error:
            run_on(board, program)
        assert "\n" not in str(error.value)
        assert [name for name in files(board) if not name.endswith("/programs")] == []
        with pytest.raises(RemoteFileError, match="1 MiB free; expected 240 MiB") as error:
            install_on(board)
        assert "\n" not in str(error.value)
        assert installed_on(board) == []
    assert run_on(board, program).stdout == "hello\n"


def test_a_cell_prints_what_the_program_prints(shell, capsys):
    cell = f"%%go --env WORD=x --may-fail --result outcome a b\n{REPORTING}"
    assert shell.run_cell(cell).success
    captured = capsys.readouterr()
    assert captured.out == "[a b] x\n[status 3]\n"
    assert captured.err == "to stderr\n"
    assert shell.user_ns["outcome"].exit_status == 3


def test_a_line_that_is_printed_in_pieces_is_one_line_in_a_notebook(board_name):
    opening = f"%load_ext labkit\nimport labkit\nboard = labkit.open_board({board_name!r})"
    printing = """%%go
package main

import "fmt"

func main() {
	println("one", 2, "three")
	fmt.Println("four")
}
"""
    cells = [nbformat.v4.new_code_cell(text) for text in (opening, printing)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, kernel_name="python3").execute()
    # SSH alone decides which stream arrives first, and Jupyter starts an output at each flush.
    outputs = notebook.cells[1].outputs
    streams = [output.name for output in outputs]
    assert [name for name, _ in itertools.groupby(streams)] in (
        ["stdout", "stderr"],
        ["stderr", "stdout"],
    )
    text = "".join(output.text for output in outputs)
    assert text in ("one 2 three\nfour\n", "four\none 2 three\n")


def test_a_failing_program_is_an_error_of_the_cell_unless_it_may(shell, capsys):
    failed = shell.run_cell(f"%%go --result outcome\n{REPORTING}").error_in_exec
    assert isinstance(failed, GoError)
    assert "ended with status 3" in str(failed)
    assert "--may-fail" in failed.hint
    assert shell.user_ns["outcome"].stderr == "to stderr\n"


def test_a_cell_that_never_ends_is_ended(shell, board, eventually, capsys):
    failed = shell.run_cell(f"%%go --timeout 2\n{FOREVER}").error_in_exec
    assert isinstance(failed, CommandTimeout)
    assert capsys.readouterr().out.startswith("started\n")
    eventually(lambda: not runs(board, "cell"))


def test_a_changed_cell_is_built_and_run_within_seconds(shell, capsys):
    assert shell.run_cell(f"%%go\n{HELLO}").success
    changed = HELLO.replace("hello", f"changed {time.time_ns()}")
    start = time.monotonic()
    assert shell.run_cell(f"%%go\n{changed}").success
    assert time.monotonic() - start < 5
    assert capsys.readouterr().out.startswith("hello\nchanged")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_toolchain_is_uploaded_once_works_there_and_is_removed(board, put):
    version = toolchain().version
    remote = install_on(board)
    assert remote.root == f"{board.facts.cache_dir}/toolchains/go{version}"
    output = board.check("%s version", remote.go, timeout=120).stdout
    assert output == f"go version go{version} linux/arm64\n"
    assert board.check("%s env GOROOT", remote.go, timeout=120).stdout == f"{remote.root}\n"
    assert [installed.version for installed in installed_on(board)] == [version]
    assert files(board).count(f"{board.facts.cache_dir}/toolchains/go.tar.gz") == 0

    count, start = len(put), time.monotonic()
    assert install_on(board) == remote
    assert time.monotonic() - start < 5
    assert len(put) == count

    remove_from(board, version)
    assert installed_on(board) == []
    with pytest.raises(ToolchainError, match=f"has put no Go {version}") as error:
        remove_from(board, version)
    assert "\n" not in str(error.value)


def test_a_board_that_was_reset_gets_the_program_again(board, put):
    program = build(HELLO, name="hello")
    upload(board, program)
    before = len(put)
    board.reset()
    assert run_on(board, program).stdout == "hello\n"
    assert len(put) == before + 1
