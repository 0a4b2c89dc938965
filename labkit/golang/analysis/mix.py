"""The instruction mix of a program: its instructions, counted by mnemonic and by class."""

from __future__ import annotations

import functools
import os
import re
from collections import Counter
from typing import TYPE_CHECKING

from labkit.errors import BinaryError
from labkit.golang.analysis.disassembly import iter_functions
from labkit.golang.analysis.instruction import Instruction

if TYPE_CHECKING:
    import pandas

__all__ = ["INSTRUCTION_CLASSES", "instruction_class", "instruction_mix"]

INSTRUCTION_CLASSES = (
    "acquire/release",
    "exclusives",
    "LSE",
    "barriers",
    "NEON",
    "floating point",
    "SVE",
    "data",
    "other",
)
"""The classes of instructions that :func:`instruction_class` returns."""

# Mnemonics from the Arm ARM, C3.2 "Loads and stores".
_BY_MNEMONIC = {
    "acquire/release": r"ldapu?r(s?[bhw])?|ldl?ar[bh]?|stll?r[bh]?|stlur[bh]?",
    "exclusives": r"lda?x(r[bh]?|p)|stl?x(r[bh]?|p)|clrex",
    "LSE": r"casp?a?l?[bh]?|swpp?a?l?[bh]?"
    r"|ld(add|clrp?|eor|setp?|smax|smin|umax|umin)a?l?[bh]?"
    r"|st(add|clr|eor|set|smax|smin|umax|umin)l?[bh]?",
    "barriers": r"dmb|dsb|isb|sb|ssbb|pssbb",
    # SVE instructions on general registers alone: they read the vector length or count by it.
    "SVE": r"rdvl|addvl|addpl|cnt[bhwd]|[su]?q?(inc|dec)[bhwdp]|ctermeq|ctermne|setffr",
    "data": r"\.\w+",
}
_MNEMONICS = {name: re.compile(pattern) for name, pattern in _BY_MNEMONIC.items()}
_REGISTERS = {
    "SVE": re.compile(r"(?<![\w.#])([zp]\d+|pn\d+|za\d*)\b"),
    "NEON": re.compile(r"(?<![\w.#])(v\d+\.|q\d+\b)"),
    "floating point": re.compile(r"(?<![\w.#])[bhsd]\d+\b"),
}
_ANY_REGISTER = re.compile(r"(?<![\w.#])[zpvqbhsd][n\d]")
_UNDECODED = (".inst", ".insn")
"""How objdump prints a word that it does not know. Such a word is executed all the same."""


def instruction_mix(path: str | os.PathLike[str], functions: str | None = None) -> pandas.DataFrame:
    """Count the instructions of a program. Columns: mnemonic, class, count; highest count first.

    ``functions`` is a regular expression that is searched for in each function's name
    (``r"^runtime\\."``); without it, all of .text is counted. A mnemonic of two classes has two
    rows: ``ldr x0`` is other, ``ldr q0`` NEON.

    Class *data* holds the constants among the code, which are no instructions. The docstring of
    :mod:`labkit.golang.analysis.literal_pools` states how they are recognised. That rule does not
    depend on what a word would decode to, so SVE instructions that a program does use are counted.

    A program of 2 MB takes half a second. Raises :class:`BinaryError` as :func:`disassemble` does,
    for an invalid regular expression, and where no function matches; :class:`ToolNotFound` where
    objdump is missing.

    >>> mix = instruction_mix(build(source, GOARM64="v8.1"))                # doctest: +SKIP
    >>> mix.groupby("class")["count"].sum()["LSE"]                          # doctest: +SKIP
    """
    import pandas

    pattern = _compiled(functions or "")
    counts: Counter[tuple[str, str]] = Counter()
    for function in iter_functions(path):
        if pattern.search(function.name):
            counts.update(
                (instruction.mnemonic, instruction_class(instruction))
                for instruction in function.instructions
            )
    if not counts:
        raise BinaryError(
            f"no function of {os.fspath(path)} matches {functions!r}",
            expected="a regular expression that finds a name in symbols(binary)",
        )
    rows = sorted(((*key, count) for key, count in counts.items()), key=lambda row: (-row[2], row))
    return pandas.DataFrame(rows, columns=["mnemonic", "class", "count"])


def instruction_class(instruction: Instruction) -> str:
    """The class of an instruction, one of :data:`INSTRUCTION_CLASSES`.

    Atomics and barriers are recognised by their mnemonic, the rest by its registers. *SVE* are
    z and p registers, and SVE's instructions on the vector length. *NEON* are vectors
    (``v0.16b``) and q registers, even where those only move bytes, as in a copy. *Floating point*
    are the scalar b, h, s and d registers. An instruction that fits several classes belongs to
    the first of these.

    >>> instruction_class(Instruction(0, 0xB8E10040, "ldaddal", "w1, w0, [x2]"))
    'LSE'
    """
    by_mnemonic = _mnemonic_class(instruction.mnemonic)
    if by_mnemonic or not _ANY_REGISTER.search(instruction.operands):
        return by_mnemonic or "other"
    registers = instruction.parts[0]  # a target such as d2000 looks like a register
    for name, pattern in _REGISTERS.items():
        if pattern.search(registers):
            return name
    return "other"


@functools.cache
def _mnemonic_class(mnemonic: str) -> str:
    """The class that a mnemonic alone decides; empty where the registers decide."""
    if mnemonic in _UNDECODED:
        return "other"
    for name, pattern in _MNEMONICS.items():
        if pattern.fullmatch(mnemonic):
            return name
    return ""


def _compiled(functions: str) -> re.Pattern[str]:
    try:
        return re.compile(functions)
    except re.error as error:
        raise BinaryError(
            f"{functions!r} is not a regular expression: {error}",
            expected=r"one such as r'^runtime\.'",
        ) from error
