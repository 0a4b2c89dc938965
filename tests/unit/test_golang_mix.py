"""The instruction mix of real Go programs, and the class of single instructions."""

from collections import Counter

import pytest

from labkit.errors import BinaryError
from labkit.golang.analysis.disassembly import iter_functions
from labkit.golang.analysis.instruction import Instruction
from labkit.golang.analysis.mix import INSTRUCTION_CLASSES, instruction_class, instruction_mix
from labkit.golang.program.build import build

PROGRAM = """package main

import "fmt"

//go:noinline
func Add(a, b int) int { return a + b }

func main() { fmt.Println(Add(1, 2)) }
"""


@pytest.fixture(scope="module")
def program():
    return build(PROGRAM, name="program", GOARM64="v8.0")


@pytest.fixture(scope="module")
def mix(program):
    return instruction_mix(program)


@pytest.mark.slow
def test_each_instruction_is_counted_once(program, mix):
    mnemonics = Counter(
        mnemonic for function in iter_functions(program) for mnemonic in function.mnemonics
    )
    assert mix.groupby("mnemonic")["count"].sum().to_dict() == mnemonics
    assert set(mix["class"]) <= set(INSTRUCTION_CLASSES)
    assert mix["count"].is_monotonic_decreasing
    assert not mix.duplicated(["mnemonic", "class"]).any()


@pytest.mark.slow
def test_the_atomics_of_a_program_depend_on_goarm64(mix):
    def of(frame):
        return frame.groupby("class")["count"].sum()

    lse_only = build(PROGRAM, name="program", GOARM64="v8.1")
    either, lse = of(mix), of(instruction_mix(lse_only))
    assert either["exclusives"] > 100 * lse["exclusives"]
    assert either["LSE"] == lse["LSE"] > 100
    assert set(mix[mix["class"] == "barriers"].mnemonic) == {"dmb", "dsb", "isb"}


@pytest.mark.slow
def test_the_mix_of_some_functions(program):
    assert instruction_mix(program, r"^main\.Add$").values.tolist() == [
        ["add", "other", 1],
        ["ret", "other", 1],
    ]
    with pytest.raises(BinaryError, match="no function of .* matches 'nothing like it'"):
        instruction_mix(program, "nothing like it")
    with pytest.raises(BinaryError, match=r"'\(' is not a regular expression"):
        instruction_mix(program, "(")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ldar x0, [x1]", "acquire/release"),
        ("ldapurb w0, [x1, #1]", "acquire/release"),
        ("stlrb w0, [x1]", "acquire/release"),
        ("ldaxr x0, [x1]", "exclusives"),
        ("stlxp w3, x0, x1, [x2]", "exclusives"),
        ("ldaddal w1, w0, [x2]", "LSE"),
        ("stsetl x1, [x2]", "LSE"),
        ("caspal x0, x1, x2, x3, [x4]", "LSE"),
        ("swpb w0, w1, [x2]", "LSE"),
        ("dmb ish", "barriers"),
        ("add v0.4s, v1.4s, v2.4s", "NEON"),
        ("ldp q0, q1, [x2]", "NEON"),
        ("uaddlv h0, v0.8b", "NEON"),
        ("fadd d0, d1, d2", "floating point"),
        ("ldr s1, [x0, #4]", "floating point"),
        ("add z0.s, z0.s, z1.s", "SVE"),
        ("ld1b {z0.b}, p0/z, [x0]", "SVE"),
        ("cntd x0", "SVE"),
        ("rdvl x0, #1", "SVE"),
        ("b d2000 <main.v0.f>", "other"),
        ("adrp x0, d2000 <go:string.*+0x1>", "other"),
        ("ldr x0, [x1], #8", "other"),
        ("stur x0, [sp, #-8]", "other"),
        (".word 0x04000028", "data"),
        (".inst 0x04000028", "other"),
    ],
)
def test_the_class_of_an_instruction(text, kind):
    mnemonic, _, operands = text.partition(" ")
    assert instruction_class(Instruction(0, 0, mnemonic, operands)) == kind
