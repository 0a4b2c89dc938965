"""The code of a function without the addresses that a linker chose.

Where a function or a datum lies changes with everything before it. So in the normal form

- a target within the function is the number of the instruction there;
- any other target is what lies there: ``runtime.gopanic``, ``runtime.mheap_+0x10``;
- an ``adrp`` has no page; the ``add``, load or store that adds the low 12 bits to that
  register has the name of what both together mean.

All else is kept: registers, immediates, offsets, the constants of literal pools (Go's hold no
addresses: it loads those with adrp and add, ``case 68`` in ``cmd/internal/obj/arm64/asm7.go``).

Most of Go's data have no symbol. For those the name is the section, or more where the bytes
there say more: ``&main.f`` for a pointer to a function (a Go function value), and the hash of
a type's descriptor where types have a section of their own (Go 1.27; ``internal/abi.Type``).
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from labkit.golang.analysis.disassembly import FunctionCode, labels
from labkit.golang.analysis.elf import open_elf, symbol_table
from labkit.golang.analysis.instruction import Instruction

if TYPE_CHECKING:
    from elftools.elf.sections import Section

__all__ = ["Form", "Line", "Places", "normalize"]


class Line(NamedTuple):
    """One instruction; ``target`` is the number of the one it goes to, or None."""

    text: str
    target: int | None


Form = tuple[Line, ...]
"""The code of a function, without addresses."""

_LOW_ADD = re.compile(r"(x\d+, (x\d+), )#(0x[0-9a-f]+)$")
_LOW_MEMORY = re.compile(r"(.*\[(x\d+))(?:, #(\d+))?\]$")
_REGISTERS = re.compile(r"\b[wx](\d+)\b")
_LEAVES = frozenset(["b", "br", "ret", "bl", "blr"])
# The compiler numbers its unnamed data: main..stmp_3, fmt..typeAssert.2.
_NUMBERED = re.compile(r"(\.\.[A-Za-z]+)[._]?\d+$")
_TYPE_HASH = 16
"""Where the 4 bytes of the hash are in ``internal/abi.Type``, after two words."""


class Places:
    """What lies at the addresses of one binary."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        with open_elf(path) as elf:
            self._sections = sorted(
                (each["sh_addr"], each["sh_size"], each.name, _content(each))
                for each in elf.iter_sections()
                if each["sh_addr"]
            )
            table = symbol_table(elf)
            found = [
                (each["st_value"], each["st_size"], each["st_info"]["type"], each.name)
                for each in (table.iter_symbols() if table else ())
                if each["st_size"] and each["st_info"]["type"] != "STT_TLS"
            ]
        self._symbols = {start: (size, name) for start, size, _, name in sorted(found)}
        self._functions = {start: name for start, _, kind, name in found if kind == "STT_FUNC"}
        self._starts = list(self._symbols)

    def name(self, address: int) -> str:
        """A name for what lies there that another build gives it too."""
        start, size, symbol = self._symbol(address)
        if address < start + size:
            if symbol.endswith("*"):  # a carrier of many data: the offset is the linker's
                return symbol
            offset = f"+{address - start:#x}" if address > start else ""
            return _NUMBERED.sub(r"\1", symbol) + offset
        return self._section(address)[0]

    def taken(self, address: int) -> str:
        """A name for what has its address taken: where no symbol has it, by the bytes there."""
        section, bytes_there = self._section(address)
        named = self.name(address)
        if named != section:
            return named
        function = self._functions.get(int.from_bytes(bytes_there[:8], "little"))
        if function and section in (".go.func", ".rodata"):
            return f"&{function}"
        if section == ".go.type":
            return f"type:{bytes_there[_TYPE_HASH : _TYPE_HASH + 4].hex()}"
        return section

    def _symbol(self, address: int) -> tuple[int, int, str]:
        place = bisect_right(self._starts, address) - 1
        if place < 0:
            return 0, 0, ""
        start = self._starts[place]
        return start, *self._symbols[start]

    def _section(self, address: int) -> tuple[str, bytes]:
        """The section there, and its first bytes from there."""
        for start, size, name, content in self._sections:
            if start <= address < start + size:
                offset = address - start
                return name, content[offset : offset + _TYPE_HASH + 4]
        return "nowhere", b""


def normalize(listing: FunctionCode, places: Places) -> Form:
    """The normal form of one function.

    >>> normalize(disassemble(binary, "main.Add"), Places(binary))[0]     # doctest: +SKIP
    Line(text='add x0, x0, x1', target=None)
    """
    number = {each.address: place for place, each in enumerate(listing.instructions)}
    targets = labels(listing.instructions)
    pages: dict[str, int] = {}
    form = []
    for each in listing.instructions:
        if each.address in targets:
            pages.clear()  # another path comes in here, with other registers
        form.append(_line(each, number, pages, places))
        if pages:
            _forget_written(each, pages)
        if each.mnemonic == "adrp":
            before, page, _ = each.parts
            pages[before.rstrip(", ")] = page or 0
    return tuple(form)


def _line(each: Instruction, number: dict[int, int], pages: dict[str, int], places: Places) -> Line:
    before, target, symbol = each.parts
    if each.mnemonic == "adrp":
        return Line(f"adrp {before}page", None)
    if target is None:
        said = _with_low_bits(each, pages, places) if pages else before
        return Line(f"{each.mnemonic} {said}".rstrip(), None)
    if target in number:
        return Line(f"{each.mnemonic} {before}", number[target])
    # Only objdump knows the names in a procedure linkage table.
    name = symbol if symbol.endswith("@plt") else places.name(target)
    return Line(f"{each.mnemonic} {before}{name}", None)


def _with_low_bits(each: Instruction, pages: dict[str, int], places: Places) -> str:
    """The operands, with a name where they add the low bits to the page of an adrp."""
    found = _LOW_ADD.match(each.operands) if each.mnemonic == "add" else None
    found = found or _LOW_MEMORY.match(each.operands)
    if found is None or found[2] not in pages:
        return each.operands
    address = pages[found[2]] + int(found[3] or "0", 0)
    if each.mnemonic == "add":
        return f"{found[1]}{places.taken(address)}"
    return f"{found[1]}, {places.name(address)}]"


def _forget_written(each: Instruction, pages: dict[str, int]) -> None:
    """Take the pages away that the instruction overwrites, or leaves behind."""
    if each.mnemonic in _LEAVES:
        pages.clear()
        return
    written, _, address = each.operands.partition("[")
    if not address:
        written = written.partition(",")[0]
    elif each.mnemonic.startswith("st"):
        written = ""
    if address and not address.endswith("]"):  # [x0], #8 and [x0, #8]! write the base back
        written += address
    for register in _REGISTERS.findall(written):
        pages.pop(f"x{register}", None)


def _content(section: Section) -> bytes:
    return b"" if section["sh_type"] == "SHT_NOBITS" else bytes(section.data())
