"""``%%go`` cells without a board: vetting, building, variables, and errors.

Runs on a board are in tests/board/test_golang_board.py.
"""

import io
import re
import sys

import pytest

from labkit.errors import BuildFailed, GoError, ToolchainError
from labkit.golang import Binary
from labkit.golang.program.magic import _Printer

HELLO = 'package main\n\nfunc main() {\n\tprintln("hello")\n}\n'


def run(shell, line, program):
    """The exception that the cell raised, or None."""
    return shell.run_cell(f"%%go {line}\n{program}").error_in_exec


def test_a_cell_can_be_built_into_a_variable_without_a_board(shell):
    assert run(shell, "--no-run --binary app --source text --goarm64 v8.1", HELLO) is None
    app = shell.user_ns["app"]
    assert isinstance(app, Binary)
    assert app.settings["GOARM64"] == "v8.1"
    assert shell.user_ns["text"] == HELLO


def test_a_cell_can_be_put_into_a_variable_and_not_even_built(shell):
    assert (
        run(shell, "--no-run --source broken", "package main\nfunc main() { nonsense }\n") is None
    )
    assert "nonsense" in shell.user_ns["broken"]


def test_lines_are_counted_as_in_the_cell_and_no_traceback_is_shown(shell, capsys):
    program = "package main\n\nfunc main() {\n\tnonsense()\n}\n"
    failed = run(shell, "", program)
    assert isinstance(failed, BuildFailed)
    assert "cell.go:5:2: undefined: nonsense" in str(failed)
    captured = capsys.readouterr()
    assert "cell.go:5:2: undefined: nonsense" in captured.out + captured.err
    for traceback in ("Traceback", "build.py", "magic.py"):
        assert traceback not in captured.out + captured.err


def test_findings_of_vet_are_printed_with_the_cells_lines(shell, capsys):
    program = 'package main\n\nimport "fmt"\n\nfunc main() {\n\tfmt.Printf("%d\\n")\n}\n'
    assert run(shell, "--no-run --binary app", program) is None
    assert "vet: cell.go:7:14: fmt.Printf format %d" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        ("--board nowhere", GoError, r"no board in the variable 'nowhere'.*labkit\.open_board"),
        ("--go newest", ToolchainError, "'newest' is no Go version"),
        ("--goarm64 v7", GoError, "GOARM64"),
    ],
)
def test_an_error_is_one_line(shell, capsys, line, kind, message):
    failed = run(shell, line, HELLO)
    assert isinstance(failed, kind)
    assert "\n" not in str(failed)
    captured = capsys.readouterr()
    assert re.search(message, str(failed))
    assert "Traceback" not in captured.out + captured.err


def test_a_variable_that_is_no_board_is_an_error(shell):
    shell.user_ns["board"] = "debian-12"
    assert "no board in the variable 'board'" in str(run(shell, "", HELLO))


@pytest.mark.parametrize("line", ["--nonsense", "--timeout soon", "--board"])
def test_a_wrong_option_is_a_usage_error(shell, line):
    assert type(run(shell, line, HELLO)).__name__ == "UsageError"


def test_the_help_names_every_option(shell):
    text = shell.find_cell_magic("go").__doc__
    for option in ("--go", "--goarm64", "--env", "--timeout", "--may-fail", "--result"):
        assert option in text


class Outputs:
    """Python's two output streams as in a notebook: all text up to a flush is one output."""

    def __init__(self, monkeypatch):
        self.flushed = []
        for name in ("stdout", "stderr"):
            monkeypatch.setattr(sys, name, self._Stream(name, self.flushed))

    class _Stream(io.StringIO):
        def __init__(self, name, flushed):
            super().__init__()
            self.kind, self.flushed = name, flushed

        def flush(self):
            if self.getvalue():
                self.flushed.append((self.kind, self.getvalue()))
            self.seek(0)
            self.truncate()


def test_no_stream_cuts_a_line_of_the_other_and_pieces_are_one_output(monkeypatch):
    outputs = Outputs(monkeypatch)
    with _Printer() as on_output:
        on_output(b"", b"one 2")
        on_output(b"four\n", b"")
        on_output(b"", b" three\nfi")
        on_output(b"six\n", b"ve\n")
        on_output("sev\u00e9n".encode()[:4], b"")
        on_output("sev\u00e9n".encode()[4:], b"eight")
    sys.stderr.flush()
    assert outputs.flushed == [
        ("stderr", "one 2 three\nfive\n"),
        ("stdout", "four\nsix\nsev\u00e9n"),
        ("stderr", "eight"),
    ]
