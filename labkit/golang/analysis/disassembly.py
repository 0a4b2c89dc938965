"""Machine code of arm64 programs, decoded by GNU objdump and grouped by function.

``go tool objdump`` is not used: it prints ``?`` for the LSE atomics.

:mod:`labkit.golang.analysis.literal_pools` recognises the constants among the code. Zero words at
the end of a function are left out: they align the next function (``codeBuffer.finish`` in
``asm7.go``), or are an UNDEF that nothing reaches.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

from labkit.display import StrRepr
from labkit.errors import BinaryError
from labkit.golang.analysis.elf import open_elf, symbol_table
from labkit.golang.analysis.instruction import Instruction
from labkit.golang.analysis.literal_pools import mark_constants
from labkit.tools import HostTool

__all__ = [
    "OBJDUMP",
    "FunctionCode",
    "FunctionSymbol",
    "disassemble",
    "function_symbols",
    "iter_functions",
    "labels",
]

OBJDUMP = HostTool(
    "aarch64-linux-gnu-objdump", "binutils-aarch64-linux-gnu", "to read arm64 machine code"
)


@dataclass(frozen=True, repr=False)
class FunctionCode(StrRepr):
    """The code of one function. Its text has a line per instruction: offset, mnemonic, operands.

    Targets of branches within the function are labels, L1, L2, in the order of addresses;
    targets outside have the name of their symbol.
    """

    name: str
    address: int
    instructions: tuple[Instruction, ...]

    @property
    def mnemonics(self) -> tuple[str, ...]:
        """The mnemonics alone, in order."""
        return tuple(instruction.mnemonic for instruction in self.instructions)

    def text(self, *, encoding: bool = False) -> str:
        """The code as text; with ``encoding`` each line has the instruction's 32 bits in hex too.

        >>> print(disassemble(binary, "main.Add"))              # doctest: +SKIP
        main.Add: 2 instructions at 0x77d50
                0x0  add      x0, x0, x1
                0x4  ret
        """
        names = labels(self.instructions)
        count = len(self.instructions)
        lines = [f"{self.name}: {count} instruction{'s'[: count != 1]} at {self.address:#x}"]
        for instruction in self.instructions:
            address, word, mnemonic, _ = instruction
            label = f"{names[address]}:" if address in names else ""
            offset = f"{address - self.address:#x}"
            encoded = f"  {word:08x}" if encoding else ""
            decoded = f"{mnemonic:<8} {_operands(instruction, names)}".rstrip()
            lines.append(f"{label:<5}{offset:>6}{encoded}  {decoded}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()


class FunctionSymbol(NamedTuple):
    """A function in the symbol table; ``size`` in bytes."""

    address: int
    size: int
    name: str

    @property
    def end(self) -> int:
        """The address after its last byte."""
        return self.address + self.size


def disassemble(path: str | os.PathLike[str], function: str) -> FunctionCode:
    """The code of one function, by its name in the symbol table (``runtime.(*mheap).alloc``).

    If several functions have the same name, the second is ``name#2``. Raises
    :class:`BinaryError` for a file that is not a complete arm64 ELF file, is stripped, or has no
    such function (the error names similar ones), and :class:`ToolNotFound` without objdump.

    >>> "ldaddal" in disassemble(binary, "main.Add").mnemonics    # doctest: +SKIP
    True
    """
    symbols = function_symbols(path)
    symbol = next((symbol for symbol in symbols if symbol.name == function), None)
    if symbol is None:
        raise _unknown_function(path, function, [symbol.name for symbol in symbols])
    window = (f"--start-address={symbol.address}", f"--stop-address={symbol.end}")
    return _function_code(symbol, list(_decode(path, *window)))


def iter_functions(path: str | os.PathLike[str]) -> Iterator[FunctionCode]:
    """All functions of .text, in the order of addresses. Raises what :func:`disassemble` does.

    Words that lie between functions are left out.

    >>> sum(len(function.instructions) for function in iter_functions(binary))  # doctest: +SKIP
    148119
    """
    symbols = function_symbols(path)
    decoded = _decode(path)
    instruction = next(decoded, None)
    for symbol in symbols:
        code: list[Instruction] = []
        end = symbol.end
        while instruction and instruction.address < end:
            if instruction.address >= symbol.address:
                code.append(instruction)
            instruction = next(decoded, None)
        function = _function_code(symbol, code)
        if function.instructions:
            yield function


def labels(instructions: Iterable[Instruction]) -> dict[int, str]:
    """Labels for the addresses that are targets within the code: ``{address: "L1"}``.

    >>> labels([Instruction(0x10, 0, "cbz", "w0, 14"), Instruction(0x14, 0, "ret", "")])
    {20: 'L1'}
    """
    code = list(instructions)
    addresses = {instruction.address for instruction in code}
    targets = {instruction.target for instruction in code if instruction.mnemonic != "adrp"}
    inside = sorted(target for target in targets if target in addresses)
    return {address: f"L{number}" for number, address in enumerate(inside, 1)}


def _operands(instruction: Instruction, names: Mapping[int, str]) -> str:
    """The operands, with a name in place of the target's address."""
    before, target, symbol = instruction.parts
    if target is None:
        return before
    if instruction.mnemonic == "adrp":  # a page; the symbol at its beginning is a coincidence
        symbol = ""
    return before + (names.get(target) or symbol or f"{target:#x}")


def function_symbols(path: str | os.PathLike[str]) -> list[FunctionSymbol]:
    """The functions of .text in the order of addresses, one per address, with unique names.

    Raises :class:`BinaryError` for a file that is not a complete arm64 ELF file or is stripped.
    """
    with open_elf(path) as elf:
        if elf["e_machine"] != "EM_AARCH64":
            raise BinaryError(
                f"{os.fspath(path)} is a program for {elf.get_machine_arch()}",
                expected="arm64",
                hint='build(..., GOARCH="arm64")',
            )
        table = symbol_table(elf)
        text = elf.get_section_index(".text")
        if table is None or text is None:
            raise BinaryError(
                f"{os.fspath(path)} is stripped: it names no functions",
                expected="a symbol table",
                hint='build it without -ldflags="-s"',
            )
        end = elf.get_section(text)["sh_addr"] + elf.get_section(text)["sh_size"]
        functions = [
            FunctionSymbol(symbol["st_value"], symbol["st_size"], symbol.name)
            for symbol in table.iter_symbols()
            if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_shndx"] == text
        ]
    return _with_unique_names(_without_aliases(functions, end))


def _without_aliases(functions: list[FunctionSymbol], end: int) -> Iterator[FunctionSymbol]:
    """The largest symbol of each address. One without a size extends to the next, or to ``end``."""
    largest: dict[int, FunctionSymbol] = {}
    for symbol in sorted(functions, key=lambda symbol: (symbol.address, -symbol.size, symbol.name)):
        largest.setdefault(symbol.address, symbol)
    for symbol, following in zip(largest.values(), [*list(largest)[1:], end], strict=True):
        if symbol.address < end:
            yield symbol._replace(size=symbol.size or following - symbol.address)


def _with_unique_names(functions: Iterable[FunctionSymbol]) -> list[FunctionSymbol]:
    counts: Counter[str] = Counter()
    unique = []
    for symbol in functions:
        counts[symbol.name] += 1
        count = counts[symbol.name]
        unique.append(symbol if count == 1 else symbol._replace(name=f"{symbol.name}#{count}"))
    return unique


def _decode(path: str | os.PathLike[str], *window: str) -> Iterator[Instruction]:
    """objdump's decoding of .text, instruction by instruction while objdump runs."""
    argv = [OBJDUMP.command(), "-d", "-z", "--section=.text", *window, "--", os.fspath(path)]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace"
    ) as objdump:
        assert objdump.stdout is not None
        for line in objdump.stdout:
            # `  11048:\t9343fcc8 \tasr\tx8, x6, #3\t// comment`
            fields = line.rstrip("\n").split("\t")
            if len(fields) > 2 and fields[0].endswith(":"):
                operands = _without_comment(fields[3]) if len(fields) > 3 else ""
                yield Instruction(int(fields[0][:-1], 16), int(fields[1], 16), fields[2], operands)
    if objdump.returncode:
        raise BinaryError(f"{os.fspath(path)}: objdump ended with status {objdump.returncode}")


def _without_comment(operands: str) -> str:
    """``1105c <f+0x5c>`` of ``1105c <f+0x5c>  // b.none``; a symbol's name may hold a // too."""
    if operands.endswith(">"):
        return operands
    if "<" in operands:
        return operands[: operands.rindex(">") + 1]
    return operands.partition("  //")[0].partition(" ; ")[0]


def _function_code(symbol: FunctionSymbol, code: list[Instruction]) -> FunctionCode:
    mark_constants(code)
    while code and code[-1].word == 0 and code[-1].mnemonic == "udf":
        code.pop()
    return FunctionCode(symbol.name, symbol.address, tuple(code))


def _unknown_function(path: str | os.PathLike[str], name: str, names: list[str]) -> BinaryError:
    lower = name.lower()
    containing = sorted((other for other in names if lower in other.lower()), key=len)
    similar = list(dict.fromkeys(containing[:3] + get_close_matches(name, names, 3)))[:3]
    return BinaryError(
        f"there is no function {name!r} in {os.fspath(path)}",
        expected=f"one such as {', '.join(similar)}" if similar else "a name such as main.main",
        hint="look in symbols(binary); a small function may be inlined, //go:noinline prevents it",
    )
