"""Constants among the code: told apart from instructions.

Go's assembler puts a constant that fits no instruction into a *literal pool* behind the code
that loads it, and marks it in no way (C compilers mark theirs with ``$d`` symbols, which objdump
heeds). Read as instructions such words are nonsense, some of it SVE. A word is taken for a
constant, with the mnemonic ``.word``, where both are so:

- no path falls into it: the word before is a constant too, or ends the path (``b``, ``br``,
  ``ret``, ``eret``, or Go's UNDEF: a zero word, in older versions 0xbea71700);
- an earlier ``ldr`` or ``ldrsw`` of the same function loads that very address, pc-relative; or
  its upper seven bits are zero: reserved (Arm ARM, C4.1), no instruction has them but UDF,
  which is undefined for good. Go 1.21 leaves offsets there that nothing loads in the end.

That is how ``flushpool`` in Go's ``cmd/internal/obj/arm64/asm7.go`` lays pools out, at the end
of a function or, with a ``b`` around it, in the middle of a long one. A real instruction meets
both conditions only in code that reads itself. Held against what the assembler says itself
(``-gcflags=-S -asmflags=-S``), the rule finds all and nothing else in programs of Go 1.21, 1.22,
1.23 and 1.27.
"""

from __future__ import annotations

from labkit.golang.analysis.instruction import Instruction

__all__ = ["mark_constants"]

_LOADED_BYTES = {"w": 4, "s": 4, "x": 8, "d": 8, "q": 16}
_ENDS_OF_PATHS = frozenset(["b", "br", "ret", "eret"])
_GO_UNDEF = (0, 0xBEA71700)
_FIRST_ENCODING = 0x02000000


def mark_constants(code: list[Instruction]) -> None:
    """Give the words of literal pools the mnemonic .word; the rule is at the top of this file."""
    loaded: set[int] = set()
    ended = False
    for place, each in enumerate(code):
        if ended and (each.address in loaded or 0 < each.word < _FIRST_ENCODING):
            code[place] = each._replace(mnemonic=".word", operands=f"{each.word:#010x}")
            continue
        if each.mnemonic in ("ldr", "ldrsw") and (target := each.target) is not None:
            width = 4 if each.mnemonic == "ldrsw" else _LOADED_BYTES[each.operands[0]]
            loaded.update(range(target, target + width, 4))
        ended = each.mnemonic in _ENDS_OF_PATHS or each.word in _GO_UNDEF
