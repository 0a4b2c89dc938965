"""Literal pools: which words of a real Go program are constants, and which are instructions."""

import pytest

from labkit.golang.analysis.disassembly import disassemble
from labkit.golang.analysis.mix import instruction_mix
from labkit.golang.program.build import build

# The assembler puts a constant that fits no instruction into a pool: at the end of pool, behind an
# undefined word in last, and in the middle of long, to be within the reach of ldr.
POOLS = """#include "textflag.h"

TEXT ·pool(SB), NOSPLIT, $0-0
	CBZ R0, done
	MOVD 0x04000028(R0), R3
	MOVD 0x14000001(R0), R3
	MOVW 0x54000040(R0), R3
done:
	RET

TEXT ·last(SB), NOSPLIT, $0-0
	CBNZ R0, more
	RET
more:
	MOVD 0x12345678(R0), R3
	ADD $1, R0

TEXT ·long(SB), NOSPLIT, $0-0
	MOVD 0x05000040(R0), R3
MANY	MOVD 0x05000048(R0), R3
	RET

TEXT ·sve(SB), NOSPLIT, $0-0
	WORD $0x04a0e3e0 // cntw x0
	WORD $0x25d8e3e0 // ptrue p0.d
	WORD $0x04a10000 // add z0.s, z0.s, z1.s
	RET
""".replace("MANY", "\tADD $1, R1, R1\n" * 140_000)
POOLS_MAIN = """package main

func pool()
func last()
func long()
func sve()

func main() { pool(); last(); long(); sve() }
"""


NAMES = ("pool", "last", "long", "sve")


@pytest.fixture(scope="module")
def pools():
    return build({"main.go": POOLS_MAIN, "pools_arm64.s": POOLS}, name="pools")


@pytest.mark.slow
def test_constants_are_told_from_code(pools):
    functions = {name: disassemble(pools, f"main.{name}.abi0") for name in NAMES}
    constants = {
        name: [line.word for line in function.instructions if line.mnemonic == ".word"]
        for name, function in functions.items()
    }
    assert constants == {
        "pool": [0x04000028, 0x14000001, 0x54000040],
        "last": [0x12345678],
        "long": [0x05000040, 0x05000048],
        "sve": [],
    }
    long = functions["long"]
    first = long.mnemonics.index(".word")
    assert 100_000 < first < 140_000  # in the middle, with code behind it
    assert long.mnemonics[first - 1 : first + 2] == ("b", ".word", "add")
    assert functions["sve"].mnemonics == ("cntw", "ptrue", "add", "ret")


@pytest.mark.slow
def test_the_mix_counts_constants_as_data_and_real_sve_as_sve(pools):
    def of(functions):
        return instruction_mix(pools, functions).groupby("class")["count"].sum()

    own = of(r"^main\.(pool|last|sve)")
    assert (own["SVE"], own["data"]) == (3, 4)
    others = of(r"^(?!main\.)")
    assert "SVE" not in others
    assert others["data"] > 0  # in runtime.call67108864 and the like
