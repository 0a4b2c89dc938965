"""Which instructions a program is made of: counted by mnemonic and by kind."""

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

__all__ = ["CLASSES", "census", "instruction_class"]

CLASSES = (
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
"""The classes of instructions, as :func:`instruction_class` gives them."""

# Arm ARM, C3.2 "Loads and stores": what each of the four ways to an atomic is spelled with.
_BY_MNEMONIC = {
    "acquire/release": r"ldapu?r(s?[bhw])?|ldl?ar[bh]?|stll?r[bh]?|stlur[bh]?",
    "exclusives": r"lda?x(r[bh]?|p)|stl?x(r[bh]?|p)|clrex",
    "LSE": r"casp?a?l?[bh]?|swpp?a?l?[bh]?"
    r"|ld(add|clrp?|eor|setp?|smax|smin|umax|umin)a?l?[bh]?"
    r"|st(add|clr|eor|set|smax|smin|umax|umin)l?[bh]?",
    "barriers": r"dmb|dsb|isb|sb|ssbb|pssbb",
    # SVE instructions on general registers alone: they ask for, or count by, the vector length.
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
_HAND_MADE = (".inst", ".insn")


def census(path: str | os.PathLike[str], functions: str | None = None) -> pandas.DataFrame:
    """Count the instructions of a program: mnemonic, class, count, the most frequent first.

    ``functions`` is a regular expression that a function's name has to match somewhere
    (``r"^runtime\\."``); without it, all of .text. A mnemonic that is of two classes has two
    rows: ``ldr x0`` is other, ``ldr q0`` NEON.

    Of class *data* are the constants among the code, which are no instructions; how they are
    told apart is written at the top of :mod:`labkit.golang.analysis.disassembly`. It does not look at
    what a word would mean, so a program that does use SVE keeps its count.

    2 MB take half a second. Raises :class:`BinaryError` as :func:`disassemble` does, for an
    expression that is none, and where no function matches.

    >>> counted = census(build(source, GOARM64="v8.1"))            # doctest: +SKIP
    >>> counted.groupby("class")["count"].sum()["LSE"]             # doctest: +SKIP
    """
    import pandas

    wanted = _expression(functions or "")
    counts: Counter[tuple[str, str]] = Counter()
    for listing in iter_functions(path):
        if wanted.search(listing.name):
            counts.update((each.mnemonic, instruction_class(each)) for each in listing.instructions)
    if not counts:
        raise BinaryError(
            f"no function of {os.fspath(path)} matches {functions!r}",
            expected="a regular expression that finds some name in symbols(binary)",
        )
    rows = sorted(((*key, count) for key, count in counts.items()), key=lambda row: (-row[2], row))
    return pandas.DataFrame(rows, columns=["mnemonic", "class", "count"])


def instruction_class(each: Instruction) -> str:
    """The one of :data:`CLASSES` an instruction is of.

    Atomics and barriers go by their mnemonic, the rest by its registers. *SVE* are z and p
    registers, and SVE's instructions on the vector length. *NEON* are vectors (``v0.16b``)
    and q registers, even where those only move bytes, as in a copy. *Floating point* are the
    scalar b, h, s and d registers. An instruction of several is of the first.

    >>> instruction_class(Instruction(0, 0xB8E10040, "ldaddal", "w1, w0, [x2]"))
    'LSE'
    """
    told = _by_mnemonic(each.mnemonic)
    if told or not _ANY_REGISTER.search(each.operands):
        return told or "other"
    registers = each.parts[0]  # a target such as d2000 looks like a register
    for kind, pattern in _REGISTERS.items():
        if pattern.search(registers):
            return kind
    return "other"


@functools.cache
def _by_mnemonic(mnemonic: str) -> str:
    if mnemonic in _HAND_MADE:  # a word objdump does not know; it is executed all the same
        return "other"
    for kind, pattern in _MNEMONICS.items():
        if pattern.fullmatch(mnemonic):
            return kind
    return ""


def _expression(functions: str) -> re.Pattern[str]:
    try:
        return re.compile(functions)
    except re.error as wrong:
        raise BinaryError(
            f"{functions!r} is not a regular expression: {wrong}",
            expected=r"one such as r'^runtime\.'",
        ) from wrong
