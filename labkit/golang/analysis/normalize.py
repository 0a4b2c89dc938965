"""The code of a function without the addresses that the linker chose.

The address of a function or of data changes with everything before it. So in normalized code

- a target within the function is the index of the instruction there;
- any other target is a name for what lies there: ``runtime.gopanic``, ``runtime.mheap_+0x10``;
- an ``adrp`` has no page. The ``add``, load or store that adds the low 12 bits to that register
  has the name of what both together address.

Everything else stays: registers, immediates, offsets, the constants of literal pools (Go's hold
no addresses: Go loads those with adrp and add, ``case 68`` in ``cmd/internal/obj/arm64/asm7.go``).

Most of Go's data have no symbol. Their name is that of the section, or a more precise one where
the bytes allow it: ``&main.f`` for a pointer to a function (a Go function value), and the hash in
a type's descriptor if types have a section of their own (Go 1.27; ``internal/abi.Type``).
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

__all__ = ["AddressMap", "NormalizedCode", "NormalizedInstruction", "normalize"]


class NormalizedInstruction(NamedTuple):
    """One instruction; ``target`` is the index of the one it branches to or loads, or None."""

    text: str
    target: int | None


NormalizedCode = tuple[NormalizedInstruction, ...]
"""The code of a function, without addresses."""

_LOW_ADD = re.compile(r"(x\d+, (x\d+), )#(0x[0-9a-f]+)$")
_LOW_MEMORY = re.compile(r"(.*\[(x\d+))(?:, #(\d+))?\]$")
_REGISTERS = re.compile(r"\b[wx](\d+)\b")
_CALLS_AND_JUMPS = frozenset(["b", "br", "ret", "bl", "blr"])
# The compiler numbers its unnamed data: main..stmp_3, fmt..typeAssert.2.
_NUMBERED = re.compile(r"(\.\.[A-Za-z]+)[._]?\d+$")
_TYPE_HASH = 16
"""Offset of the 4 bytes of the hash in ``internal/abi.Type``: it comes after two 8-byte fields."""


class AddressMap:
    """What lies at the addresses of one program file. Raises :class:`BinaryError`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        with open_elf(path) as elf:
            self._sections = sorted(
                (section["sh_addr"], section["sh_size"], section.name, _content(section))
                for section in elf.iter_sections()
                if section["sh_addr"]
            )
            table = symbol_table(elf)
            symbols = [
                (symbol["st_value"], symbol["st_size"], symbol["st_info"]["type"], symbol.name)
                for symbol in (table.iter_symbols() if table else ())
                if symbol["st_size"] and symbol["st_info"]["type"] != "STT_TLS"
            ]
        self._symbols = {start: (size, name) for start, size, _, name in sorted(symbols)}
        self._functions = {start: name for start, _, kind, name in symbols if kind == "STT_FUNC"}
        self._starts = list(self._symbols)

    def name(self, address: int) -> str:
        """A name for what lies at an address, the same in another build: symbol or section."""
        start, size, symbol = self._symbol(address)
        if address < start + size:
            if symbol.endswith("*"):  # it covers many data, whose order the linker chose
                return symbol
            offset = f"+{address - start:#x}" if address > start else ""
            return _NUMBERED.sub(r"\1", symbol) + offset
        return self._section(address)[0]

    def describe_target(self, address: int) -> str:
        """Like :meth:`name`, for an address that code takes: without a symbol, the bytes decide."""
        section, content = self._section(address)
        name = self.name(address)
        if name != section:
            return name
        function = self._functions.get(int.from_bytes(content[:8], "little"))
        if function and section in (".go.func", ".rodata"):
            return f"&{function}"
        if section == ".go.type":
            return f"type:{content[_TYPE_HASH : _TYPE_HASH + 4].hex()}"
        return section

    def _symbol(self, address: int) -> tuple[int, int, str]:
        """Start, size and name of the last symbol that starts at ``address`` or before."""
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return 0, 0, ""
        start = self._starts[index]
        return start, *self._symbols[start]

    def _section(self, address: int) -> tuple[str, bytes]:
        """The name of the section at an address, and its first bytes from there on."""
        for start, size, name, content in self._sections:
            if start <= address < start + size:
                offset = address - start
                return name, content[offset : offset + _TYPE_HASH + 4]
        return "nowhere", b""


def normalize(function: FunctionCode, address_map: AddressMap) -> NormalizedCode:
    """The code of one function, without addresses.

    >>> normalize(disassemble(binary, "main.Add"), AddressMap(binary))[0]     # doctest: +SKIP
    NormalizedInstruction(text='add x0, x0, x1', target=None)
    """
    addresses = [instruction.address for instruction in function.instructions]
    indexes = {address: index for index, address in enumerate(addresses)}
    branch_targets = labels(function.instructions)
    pages: dict[str, int] = {}  # what adrp has put into the registers
    code = []
    for instruction in function.instructions:
        if instruction.address in branch_targets:
            pages.clear()  # another path joins here, with other values in the registers
        code.append(_normalized(instruction, indexes, pages, address_map))
        if pages:
            _drop_overwritten(instruction, pages)
        if instruction.mnemonic == "adrp":
            before, page, _ = instruction.parts
            pages[before.rstrip(", ")] = page or 0
    return tuple(code)


def _normalized(
    instruction: Instruction,
    indexes: dict[int, int],
    pages: dict[str, int],
    address_map: AddressMap,
) -> NormalizedInstruction:
    mnemonic = instruction.mnemonic
    before, target, symbol = instruction.parts
    if mnemonic == "adrp":
        return NormalizedInstruction(f"adrp {before}page", None)
    if target is None:
        operands = _with_low_bits(instruction, pages, address_map) if pages else before
        return NormalizedInstruction(f"{mnemonic} {operands}".rstrip(), None)
    if target in indexes:
        return NormalizedInstruction(f"{mnemonic} {before}", indexes[target])
    # Only objdump knows the names in a procedure linkage table.
    name = symbol if symbol.endswith("@plt") else address_map.name(target)
    return NormalizedInstruction(f"{mnemonic} {before}{name}", None)


def _with_low_bits(instruction: Instruction, pages: dict[str, int], address_map: AddressMap) -> str:
    """The operands, with a name where they add the low bits to the page of an adrp."""
    operands, is_add = instruction.operands, instruction.mnemonic == "add"
    match = (_LOW_ADD.match(operands) if is_add else None) or _LOW_MEMORY.match(operands)
    if match is None or match[2] not in pages:
        return operands
    address = pages[match[2]] + int(match[3] or "0", 0)
    if is_add:
        return f"{match[1]}{address_map.describe_target(address)}"
    return f"{match[1]}, {address_map.name(address)}]"


def _drop_overwritten(instruction: Instruction, pages: dict[str, int]) -> None:
    """Remove the pages whose register the instruction writes; all where the path ends or calls."""
    if instruction.mnemonic in _CALLS_AND_JUMPS:
        pages.clear()
        return
    written, _, address = instruction.operands.partition("[")
    if not address:
        written = written.partition(",")[0]
    elif instruction.mnemonic.startswith("st"):
        written = ""
    if address and not address.endswith("]"):  # [x0], #8 and [x0, #8]! write the base back
        written += address
    for register in _REGISTERS.findall(written):
        pages.pop(f"x{register}", None)


def _content(section: Section) -> bytes:
    return b"" if section["sh_type"] == "SHT_NOBITS" else bytes(section.data())
