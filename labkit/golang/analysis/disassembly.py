"""Machine code of arm64 programs, read with GNU objdump and put together by function.

``go tool objdump`` is not used: it prints ``?`` for the LSE atomics.

Constants among the code are told apart by :mod:`labkit.golang.analysis.literal_pools`. Zero words at a
function's end align the next function (``codeBuffer.finish`` in ``asm7.go``), or are an UNDEF
that nothing reaches; they are not part of a listing.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

from labkit.display import StrRepr
from labkit.errors import BinaryError
from labkit.golang.analysis.elf import open_elf, symbol_table
from labkit.golang.analysis.instruction import Instruction
from labkit.golang.analysis.literal_pools import mark_constants
from labkit.tools import Program

__all__ = [
    "OBJDUMP",
    "FunctionCode",
    "FunctionSymbol",
    "disassemble",
    "function_symbols",
    "iter_functions",
    "labels",
]

OBJDUMP = Program(
    "aarch64-linux-gnu-objdump", "binutils-aarch64-linux-gnu", "to read arm64 machine code"
)


@dataclass(frozen=True, repr=False)
class FunctionCode(StrRepr):
    """The code of one function. It shows itself as text: offset, mnemonic, operands.

    Targets of branches within the function are labels, L1, L2, in the order of addresses;
    targets outside have their symbol's name.
    """

    name: str
    address: int
    instructions: tuple[Instruction, ...]

    @property
    def mnemonics(self) -> tuple[str, ...]:
        """The mnemonics alone, in order."""
        return tuple(each.mnemonic for each in self.instructions)

    def text(self, *, words: bool = False) -> str:
        """The listing as text; with ``words`` each line has its machine word too.

        >>> print(disassemble(binary, "main.Add"))              # doctest: +SKIP
        main.Add: 2 instructions at 0x77d50
                0x0  add      x0, x0, x1
                0x4  ret
        """
        names = labels(self.instructions)
        count = len(self.instructions)
        lines = [f"{self.name}: {count} instruction{'s'[: count != 1]} at {self.address:#x}"]
        for each in self.instructions:
            mark = f"{names[each.address]}:" if each.address in names else ""
            word = f"  {each.word:08x}" if words else ""
            offset = f"{each.address - self.address:#x}"
            said = f"{each.mnemonic:<8} {_named(each, names)}".rstrip()
            lines.append(f"{mark:<5}{offset:>6}{word}  {said}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()


class FunctionSymbol(NamedTuple):
    """A function as the symbol table has it; ``size`` in bytes."""

    address: int
    size: int
    name: str


def disassemble(path: str | os.PathLike[str], function: str) -> FunctionCode:
    """The code of one function, by its name in the symbol table (``runtime.(*mheap).alloc``).

    Where several functions have one name, the second is ``name#2``. Raises
    :class:`BinaryError` for a file that is not a whole arm64 ELF file, is stripped, or has no
    such function (naming those that come near), and :class:`ToolNotFound`.

    >>> "ldaddal" in disassemble(binary, "main.Add").mnemonics    # doctest: +SKIP
    True
    """
    functions = function_symbols(path)
    found = next((each for each in functions if each.name == function), None)
    if found is None:
        raise _unknown(path, function, [each.name for each in functions])
    window = (f"--start-address={found.address}", f"--stop-address={found.address + found.size}")
    return _listing(found, list(_decoded(path, *window)))


def iter_functions(path: str | os.PathLike[str]) -> Iterator[FunctionCode]:
    """All functions of .text, in the order of addresses. Raises what :func:`disassemble` does.

    Words between functions belong to none and are left out.

    >>> sum(len(each.instructions) for each in iter_functions(binary))   # doctest: +SKIP
    148119
    """
    functions = function_symbols(path)
    code = _decoded(path)
    each = next(code, None)
    for function in functions:
        inside: list[Instruction] = []
        while each and each.address < function.address + function.size:
            if each.address >= function.address:
                inside.append(each)
            each = next(code, None)
        listing = _listing(function, inside)
        if listing.instructions:
            yield listing


def labels(instructions: Iterable[Instruction]) -> dict[int, str]:
    """Names for the addresses that are targets within the code: ``{address: "L1"}``."""
    code = list(instructions)
    inside = {each.address for each in code}
    found = {each.target for each in code if each.mnemonic != "adrp"}
    targets = sorted(target for target in found if target in inside)
    return {address: f"L{count}" for count, address in enumerate(targets, 1)}


def _named(each: Instruction, names: Mapping[int, str]) -> str:
    """The operands, with a name for the target."""
    before, target, symbol = each.parts
    if target is None:
        return before
    if each.mnemonic == "adrp":  # a page; what lies at its beginning is not what is meant
        symbol = ""
    return before + (names.get(target) or symbol or f"{target:#x}")


def function_symbols(path: str | os.PathLike[str]) -> list[FunctionSymbol]:
    """The functions of .text by address, one for each address, each with a name of its own.

    Raises :class:`BinaryError` where there is none to be had.
    """
    with open_elf(path) as elf:
        if elf["e_machine"] != "EM_AARCH64":
            found = f"{os.fspath(path)} is a program for {elf.get_machine_arch()}"
            raise BinaryError(found, expected="arm64", hint='build(..., GOARCH="arm64")')
        table = symbol_table(elf)
        text = elf.get_section_index(".text")
        if table is None or text is None:
            raise BinaryError(
                f"{os.fspath(path)} is stripped: it names no functions",
                expected="a symbol table",
                hint='build it without -ldflags="-s"',
            )
        end = elf.get_section(text)["sh_addr"] + elf.get_section(text)["sh_size"]
        found_here = sorted(
            (each["st_value"], -each["st_size"], each.name)
            for each in table.iter_symbols()
            if each["st_info"]["type"] == "STT_FUNC" and each["st_shndx"] == text
        )
    return _with_own_names(_without_aliases(found_here, end))


def _without_aliases(found: list[tuple[int, int, str]], end: int) -> Iterator[FunctionSymbol]:
    """The largest symbol of each address. One without a size reaches to the next, or the end."""
    largest = {address: (size, name) for address, size, name in reversed(found)}
    starts = sorted(largest)
    for address, after in zip(starts, [*starts[1:], end], strict=True):
        size, name = largest[address]
        if address < end:
            yield FunctionSymbol(address, -size or after - address, name)


def _with_own_names(functions: Iterable[FunctionSymbol]) -> list[FunctionSymbol]:
    seen: dict[str, int] = {}
    unique = []
    for each in functions:
        count = seen[each.name] = seen.get(each.name, 0) + 1
        unique.append(each if count == 1 else each._replace(name=f"{each.name}#{count}"))
    return unique


def _decoded(path: str | os.PathLike[str], *window: str) -> Iterator[Instruction]:
    """What objdump makes of .text, word by word, as it comes."""
    line = [OBJDUMP.command(), "-d", "-z", "--section=.text", *window, "--", os.fspath(path)]
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace"
    ) as objdump:
        assert objdump.stdout is not None
        for text in objdump.stdout:
            # `  11048:\t9343fcc8 \tasr\tx8, x6, #3\t// remark`
            fields = text.rstrip("\n").split("\t")
            if len(fields) > 2 and fields[0].endswith(":"):
                operands = _without_remark(fields[3]) if len(fields) > 3 else ""
                yield Instruction(int(fields[0][:-1], 16), int(fields[1], 16), fields[2], operands)
    if objdump.returncode:
        raise BinaryError(f"{os.fspath(path)}: objdump ended with status {objdump.returncode}")


def _without_remark(operands: str) -> str:
    """``1105c <f+0x5c>  // b.none`` without the last word; a symbol's name may hold a // too."""
    if operands.endswith(">"):
        return operands
    if "<" in operands:
        return operands[: operands.rindex(">") + 1]
    return operands.partition("  //")[0].partition(" ; ")[0]


def _listing(function: FunctionSymbol, code: list[Instruction]) -> FunctionCode:
    mark_constants(code)
    while code and code[-1].word == 0 and code[-1].mnemonic == "udf":
        code.pop()
    return FunctionCode(function.name, function.address, tuple(code))


def _unknown(path: str | os.PathLike[str], function: str, names: list[str]) -> BinaryError:
    wanted = function.lower()
    inside = sorted((name for name in names if wanted in name.lower()), key=len)
    near = dict.fromkeys(inside[:3] + get_close_matches(function, names, 3))
    return BinaryError(
        f"there is no function {function!r} in {os.fspath(path)}",
        expected=f"one such as {', '.join(list(near)[:3])}" if near else "a name such as main.main",
        hint="look in symbols(binary); a small function may be inlined, //go:noinline keeps it",
    )
