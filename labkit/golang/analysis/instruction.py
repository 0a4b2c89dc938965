"""One instruction of arm64 machine code, as objdump prints it."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Instruction"]

# `w0, #3, 20 <main.Add+0x20>`; a register in [] instead of an address is not pc-relative.
_TARGET = re.compile(r"((?:[^<\[]*, )?)(?:0x)?([0-9a-f]+)(?: <(.*)>)?")
_PC_RELATIVE = re.compile(r"bl?|b\.\w+|bc\.\w+|cbn?z|tbn?z|ldr|ldrsw|prfm|adrp?")


class Instruction(NamedTuple):
    """One 32-bit word of code. ``operands`` are objdump's: ``x0, [x1, #8]``, ``8f2d0 <main.Add>``.

    A constant among the code has the mnemonic ``.word``.
    """

    address: int
    word: int
    mnemonic: str
    operands: str

    @property
    def target(self) -> int | None:
        """The address that a branch, a pc-relative load, adr or adrp refers to; else None."""
        return self.parts[1]

    @property
    def parts(self) -> tuple[str, int | None, str]:
        """The operands before the target, the target, and objdump's name for it.

        >>> Instruction(0x10, 0x34000080, "cbz", "w0, 20 <main.Add+0x20>").parts
        ('w0, ', 32, 'main.Add+0x20')
        """
        if _PC_RELATIVE.fullmatch(self.mnemonic):
            match = _TARGET.fullmatch(self.operands)
            if match:
                return match[1], int(match[2], 16), match[3] or ""
        return self.operands, None, ""
