"""Literal pools: the constants among the code, told apart from instructions.

Go's assembler puts a constant that fits no instruction into a *literal pool* behind the code
that loads it. It does not mark the pool (C compilers mark theirs with ``$d`` symbols, which
objdump follows). Decoded as instructions, such words are meaningless; some decode as SVE. A word
is taken for a constant, with the mnemonic ``.word``, if both conditions hold:

- Execution cannot reach it from the word before: that word is a constant too, or an instruction
  after which execution never continues (``b``, ``br``, ``ret``, ``eret``, or Go's UNDEF: a zero
  word, in older versions 0xbea71700).
- An earlier ``ldr`` or ``ldrsw`` of the same function loads this address, pc-relative. Or the
  upper seven bits of the word are zero: that encoding is reserved (Arm ARM, C4.1), and its only
  instruction is UDF, which is permanently undefined. Go 1.21 leaves offsets there that nothing
  loads in the end.

``flushpool`` in Go's ``cmd/internal/obj/arm64/asm7.go`` places pools this way: at the end of a
function, or in the middle of a long one with a ``b`` around it. A real instruction satisfies
both conditions only in code that reads itself. The rule was compared with the assembler's own
listing (``-gcflags=-S -asmflags=-S``) of programs of Go 1.21, 1.22, 1.23 and 1.27: it finds all
constants and nothing else.
"""

from __future__ import annotations

from labkit.golang.analysis.instruction import Instruction

__all__ = ["mark_constants"]

_LOADED_BYTES = {"w": 4, "s": 4, "x": 8, "d": 8, "q": 16}
_NEVER_CONTINUE = frozenset(["b", "br", "ret", "eret"])
_GO_UNDEF = (0, 0xBEA71700)
_FIRST_ENCODING = 0x02000000


def mark_constants(code: list[Instruction]) -> None:
    """Give the words of literal pools the mnemonic .word; the module's docstring has the rule."""
    loaded: set[int] = set()
    unreachable = False
    for index, instruction in enumerate(code):
        address, word, mnemonic, operands = instruction
        if unreachable and (address in loaded or 0 < word < _FIRST_ENCODING):
            code[index] = instruction._replace(mnemonic=".word", operands=f"{word:#010x}")
            continue
        if mnemonic in ("ldr", "ldrsw") and (target := instruction.target) is not None:
            width = 4 if mnemonic == "ldrsw" else _LOADED_BYTES[operands[0]]
            loaded.update(range(target, target + width, 4))
        unreachable = mnemonic in _NEVER_CONTINUE or word in _GO_UNDEF
