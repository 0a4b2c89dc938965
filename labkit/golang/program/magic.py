"""``%%go``: a notebook cell that is a Go program, run on the board.

``%load_ext labkit`` brings it into a notebook.
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
    @argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="30 unless said")
    @argument("--board", default="board", metavar="NAME", help="the Python variable of the board")
    @argument("--source", metavar="NAME", help="keep the program's text in this variable")
    @argument("--binary", metavar="NAME", help="keep the built program in this variable")
    @argument("--result", metavar="NAME", help="keep what it printed in this variable")
    @argument("--no-run", action="store_true", help="only build it")
    @argument("--may-fail", action="store_true", help="its failure is no error")
    @argument("args", nargs="*", help="the program's own arguments")
    @cell_magic
    def go(self, line: str, cell: str) -> None:
        """Vet and build the cell as a Go program, then run it on the board."""
        told: Any = parse_argstring(GoMagics.go, line)
        # The cell's first line is the magic; with it the compiler counts lines as the cell does.
        program = {"cell.go": f"//line cell.go:2:1\n{cell}"}
        self._keep(told.source, cell)
        if told.no_run and not told.binary:
            return
        toolchain(told.go)  # fetched once, before two ask for it
        with ThreadPoolExecutor(1) as beside:
            vetted = beside.submit(vet, program, version=told.go)
            level = {"GOARM64": told.goarm64} if told.goarm64 else {}
            binary = build(program, name="cell", version=told.go, **level)
        self._keep(told.binary, binary)
        for finding in vetted.result():
            print(f"vet: {finding}", file=sys.stderr)
        if not told.no_run:
            self._run(told, binary)

    def _run(self, told: Any, binary: Binary) -> None:
        board = self._board(told.board)
        env = dict(setting.partition("=")[::2] for setting in told.env)
        with _Printer() as on_output:
            result = run_on(
                board, binary, told.args, env, timeout=told.timeout, on_output=on_output
            )
        self._keep(told.result, result)
        if not result.ok and not told.may_fail:
            raise GoError(
                f"{board.name}: the program ended with status {result.exit_status}",
                expected="status 0",
                hint="%%go --may-fail, where that is meant",
            )
        if not result.ok:
            print(f"[status {result.exit_status}]")

    def _board(self, name: str) -> Board:
        board = self._variables.get(name)
        if not isinstance(board, Board):
            raise GoError(
                f"there is no board in the variable {name!r}",
                expected="an open one",
                hint=f'{name} = labkit.open_board("debian-12")',
            )
        return board

    def _keep(self, name: str | None, value: object) -> None:
        if name:
            self._variables[name] = value

    @property
    def _variables(self) -> dict[str, Any]:
        assert self.shell is not None
        names: dict[str, Any] = self.shell.user_ns
        return names


class _Printer:
    """Prints what comes from the board as it comes, and lets no stream cut the other's line.

    The two streams of a program arrive apart, and a Go ``println`` writes one line in many
    pieces. While a line of one stream is unfinished, the other stream waits. A letter may
    arrive in two pieces too.

    A stream is flushed only before the other one is written to, which keeps their order; a
    notebook's kernel flushes by itself five times a second. So many pieces become one output.
    """

    def __init__(self) -> None:
        self._streams = (_Stream(sys.stdout), _Stream(sys.stderr))

    def __enter__(self) -> _Printer:
        return self

    def __call__(self, out: bytes, err: bytes) -> None:
        for stream, piece in zip(self._streams, (out, err), strict=True):
            stream.take(piece)
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
    """One output stream of a program: where it goes, and what of it still waits."""

    def __init__(self, file: TextIO) -> None:
        self.within_line = False
        """Whether what was printed last is the beginning of a line."""
        self._file = file
        self._waiting = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def take(self, piece: bytes) -> None:
        self._waiting += self._decoder.decode(piece)

    def print(self, after: _Stream) -> None:
        if self._waiting:
            after._file.flush()
            self._file.write(self._waiting)
            self.within_line = not self._waiting.endswith("\n")
            self._waiting = ""
