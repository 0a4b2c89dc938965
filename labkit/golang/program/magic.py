"""``%%go``: a notebook cell that is a Go program, run on the board.

``%load_ext labkit`` makes it available in a notebook.
"""

from __future__ import annotations

import codecs
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TextIO

from IPython.core.magic import Magics, cell_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from labkit.boards import Board
from labkit.errors import GoError
from labkit.golang.program.binary import Binary
from labkit.golang.program.build import build, vet
from labkit.golang.program.run import run_on
from labkit.golang.toolchains.local import toolchain

__all__ = ["GoMagics"]


@magics_class
class GoMagics(Magics):
    """The cell magic ``%%go``."""

    @magic_arguments()
    @argument("--go", metavar="VERSION", help="build with this Go, such as 1.21.13")
    @argument("--goarm64", default="", metavar="LEVEL", help="the Arm level, such as v8.1")
    @argument("--env", action="append", default=[], metavar="NAME=VALUE", help="for the run")
    @argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="default: 30")
    @argument("--board", default="board", metavar="NAME", help="the Python variable of the board")
    @argument("--source", metavar="NAME", help="put the program's text into this variable")
    @argument("--binary", metavar="NAME", help="put the built program into this variable")
    @argument("--result", metavar="NAME", help="put the result of the run into this variable")
    @argument("--no-run", action="store_true", help="build the program, but do not run it")
    @argument("--may-fail", action="store_true", help="a status other than 0 is no error")
    @argument("args", nargs="*", help="the program's own arguments")
    @cell_magic
    def go(self, line: str, cell: str) -> None:
        """Vet and build the cell as a Go program, then run it on the board."""
        options: Any = parse_argstring(GoMagics.go, line)
        # The cell's first line is the magic. With it, the compiler counts lines as the cell does.
        program = {"cell.go": f"//line cell.go:2:1\n{cell}"}
        self._assign(options.source, cell)
        if options.no_run and not options.binary:
            return
        toolchain(options.go)  # fetched before two threads need it
        with ThreadPoolExecutor(1) as executor:
            findings = executor.submit(vet, program, version=options.go)
            level = {"GOARM64": options.goarm64} if options.goarm64 else {}
            binary = build(program, name="cell", version=options.go, **level)
        self._assign(options.binary, binary)
        for finding in findings.result():
            print(f"vet: {finding}", file=sys.stderr)
        if not options.no_run:
            self._run(options, binary)

    def _run(self, options: Any, binary: Binary) -> None:
        board = self._board(options.board)
        env = dict(setting.partition("=")[::2] for setting in options.env)
        with _Printer() as on_output:
            result = run_on(
                board, binary, options.args, env, timeout=options.timeout, on_output=on_output
            )
        self._assign(options.result, result)
        if not result.ok and not options.may_fail:
            raise GoError(
                f"{board.name}: the program ended with status {result.exit_status}",
                expected="status 0",
                hint="%%go --may-fail, if it is meant to fail",
            )
        if not result.ok:
            print(f"[status {result.exit_status}]")

    def _board(self, name: str) -> Board:
        board = self._variables.get(name)
        if not isinstance(board, Board):
            raise GoError(
                f"there is no board in the variable {name!r}",
                expected="an open board",
                hint=f'{name} = labkit.open_board("debian-12")',
            )
        return board

    def _assign(self, name: str | None, value: object) -> None:
        if name:
            self._variables[name] = value

    @property
    def _variables(self) -> dict[str, Any]:
        assert self.shell is not None
        names: dict[str, Any] = self.shell.user_ns
        return names


class _Printer:
    """Prints a program's output while it arrives, and keeps the lines of both streams whole.

    The two streams arrive independently, and a Go ``println`` writes one line in many pieces.
    While a line of one stream is unfinished, the other stream waits. A character of several
    bytes may arrive in two pieces too.

    A stream is flushed only before the other one is written to, which preserves their order; a
    notebook's kernel itself flushes five times a second. So many pieces become one output.
    """

    def __init__(self) -> None:
        self._streams = (_Stream(sys.stdout), _Stream(sys.stderr))

    def __enter__(self) -> _Printer:
        return self

    def __call__(self, out: bytes, err: bytes) -> None:
        for stream, data in zip(self._streams, (out, err), strict=True):
            stream.receive(data)
        for stream, other in self._unfinished_first():
            if not other.within_line:
                stream.print(after=other)

    def __exit__(self, *_: object) -> None:
        for stream, other in self._unfinished_first():
            stream.print(after=other)

    def _unfinished_first(self) -> tuple[tuple[_Stream, _Stream], tuple[_Stream, _Stream]]:
        out, err = self._streams
        return ((err, out), (out, err)) if err.within_line else ((out, err), (err, out))


class _Stream:
    """One output stream of a program: the file it is printed to, and the text not printed yet."""

    def __init__(self, file: TextIO) -> None:
        self.within_line = False
        """Whether the text printed last is the beginning of a line."""
        self._file = file
        self._pending = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def receive(self, data: bytes) -> None:
        self._pending += self._decoder.decode(data)

    def print(self, after: _Stream) -> None:
        if self._pending:
            after._file.flush()
            self._file.write(self._pending)
            self.within_line = not self._pending.endswith("\n")
            self._pending = ""
