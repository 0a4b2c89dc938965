"""Machine code of real Go programs: one function, all functions, and counted."""

import re
import shutil
from collections import Counter

import pytest

from labkit.errors import BinaryError, ToolNotFound
from labkit.golang.analysis.disassembly import Instruction, disassemble, iter_functions, labels
from labkit.golang.analysis.elf import symbols
from labkit.golang.analysis.mix import CLASSES, census, instruction_class
from labkit.golang.program import build

PROGRAM = """package main

import (
	"fmt"
	"sync/atomic"
)

var counter atomic.Int64

type Box struct{ inside float64 }

//go:noinline
func Add(a, b int) int { return a + b }

//go:noinline
func Count(n int64) int64 { return counter.Add(n) }

//go:noinline
func (box *Box) Double() float64 { return box.inside * 2 }

//go:noinline
func Sum(all []int) (sum int) {
	for _, each := range all {
		sum += Add(each, 1)
	}
	return sum
}

//go:noinline
func First[T any](all []T) T { return all[0] }

func main() {
	box := Box{1}
	pair := First([]struct{ X []int "json:\\"a//b\\"" }{{}})
	fmt.Println(Add(1, 2), Count(3), box.Double(), Sum([]int{4}), pair)
}
"""

# The assembler puts what fits no instruction into a pool: at the end of pool, behind an
# undefined word in last, and in the middle of long, where it must not be out of reach of ldr.
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


@pytest.fixture(scope="module")
def program():
    return build(PROGRAM, name="program", GOARM64="v8.0")


@pytest.fixture(scope="module")
def counted(program):
    return census(program)


@pytest.fixture(scope="module")
def pools():
    return build({"main.go": POOLS_MAIN, "pools_arm64.s": POOLS}, name="pools")


def test_one_function_reads_as_text(program):
    listing = disassemble(program, "main.Add")
    assert listing.mnemonics == ("add", "ret")
    assert str(listing) == (
        f"main.Add: 2 instructions at {listing.address:#x}\n"
        "        0x0  add      x0, x0, x1\n"
        "        0x4  ret"
    )
    assert "        0x0  8b010000  add      x0, x0, x1\n" in listing.text(words=True)
    only = listing.instructions[0]
    assert only == Instruction(listing.address, 0x8B010000, "add", "x0, x0, x1")


def test_targets_have_labels_within_a_function_and_names_outside(program):
    listing = disassemble(program, "main.Sum")
    text = str(listing)
    assert re.search(r"^ +0x\w+  bl       main\.Add$", text, re.MULTILINE)
    used = set(re.findall(r"\bL\d+$", text, re.MULTILINE))
    assert used == set(re.findall(r"^L\d+(?=:)", text, re.MULTILINE))
    assert used == set(labels(listing.instructions).values())
    assert len(used) >= 3  # the loop, its end, the way to more stack


def test_methods_generics_and_runtime_functions_are_found_by_their_names(program):
    names = set(symbols(program).name)
    generic = next(name for name in names if name.startswith("main.First[") and "//" in name)
    assert "fmul" in disassemble(program, "main.(*Box).Double").mnemonics or (
        "fadd" in disassemble(program, "main.(*Box).Double").mnemonics
    )
    assert disassemble(program, "runtime.(*mheap).alloc").mnemonics[-1] == "b"
    assert disassemble(program, generic).name == generic
    calls = [each for each in disassemble(program, "main.main").instructions if each.target]
    assert generic in {each.parts[2] for each in calls}


def test_lse_atomics_have_names(program):
    either_way = disassemble(program, "main.Count").mnemonics
    assert {"ldaddal", "ldaxr", "stlxr"} <= set(either_way)
    only_lse = disassemble(build(PROGRAM, name="program", GOARM64="v8.1"), "main.Count").mnemonics
    assert "ldaddal" in only_lse
    assert "ldaxr" not in only_lse


def test_all_functions_are_those_of_the_symbol_table_with_the_same_code(program):
    table = symbols(program).query("kind == 'FUNC' and size > 4")
    by_name = {each.name: each for each in iter_functions(program)}
    assert set(table.name) == set(by_name)
    for name in ("main.Sum", "runtime.mallocgc", "runtime.memmove", "fmt.Fprintln"):
        assert disassemble(program, name) == by_name[name]
    # What is left out of a function is the padding behind it, at most an UNDEF and 12 bytes.
    sizes = table.set_index("name")["size"]
    left = [sizes[name] - 4 * len(each.instructions) for name, each in by_name.items()]
    assert min(left) >= 0
    assert max(left) <= 16


def test_an_unknown_function_is_answered_with_near_names(program):
    with pytest.raises(BinaryError, match=r"no function 'Add' in .*such as main\.Add") as caught:
        disassemble(program, "Add")
    assert "//go:noinline" in str(caught.value)
    with pytest.raises(BinaryError, match=r"such as runtime\.mallocgc"):
        disassemble(program, "runtime.malocgc")


@pytest.mark.parametrize("ask", [lambda p: disassemble(p, "main.main"), census], ids=str)
def test_a_file_without_arm64_code_or_names_is_told(ask, tmp_path):
    with pytest.raises(BinaryError, match=r"is stripped: it names no functions.*-ldflags"):
        ask(build(PROGRAM, name="program", ldflags="-s"))
    with pytest.raises(BinaryError, match="is a program for x64; expected arm64"):
        ask(build(PROGRAM, name="program", GOARCH="amd64"))
    with pytest.raises(BinaryError, match="No such file"):
        ask(tmp_path / "missing")


def test_without_objdump_the_way_to_get_it_is_said(program, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolNotFound, match="aarch64-linux-gnu-objdump"):
        disassemble(program, "main.Add")


def test_literal_pools_are_told_from_code(pools):
    found = {
        name: [each.word for each in listing.instructions if each.mnemonic == ".word"]
        for name in ("pool", "last", "long", "sve")
        for listing in [disassemble(pools, f"main.{name}.abi0")]
    }
    assert found == {
        "pool": [0x04000028, 0x14000001, 0x54000040],
        "last": [0x12345678],
        "long": [0x05000040, 0x05000048],
        "sve": [],
    }
    long = disassemble(pools, "main.long.abi0")
    first = long.mnemonics.index(".word")
    assert 100_000 < first < 140_000  # in the middle, with code behind it
    assert long.mnemonics[first - 1 : first + 2] == ("b", ".word", "add")
    assert disassemble(pools, "main.sve.abi0").mnemonics == ("cntw", "ptrue", "add", "ret")


def test_code_that_uses_sve_keeps_its_count(pools, counted):
    ours = census(pools, r"^main\.(pool|last|sve)").groupby("class")["count"].sum()
    assert (ours["SVE"], ours["data"]) == (3, 4)
    classes = counted.groupby("class")["count"].sum()
    assert "SVE" not in classes
    assert classes["data"] > 0  # in runtime.call67108864 and its like


def test_the_census_counts_each_instruction_once(program, counted):
    mnemonics = Counter(word for each in iter_functions(program) for word in each.mnemonics)
    assert counted.groupby("mnemonic")["count"].sum().to_dict() == mnemonics
    assert set(counted["class"]) <= set(CLASSES)
    assert counted["count"].is_monotonic_decreasing
    assert not counted.duplicated(["mnemonic", "class"]).any()


def test_the_atomics_of_a_program_depend_on_goarm64(counted):
    def of(frame):
        return frame.groupby("class")["count"].sum()

    either, lse = of(counted), of(census(build(PROGRAM, name="program", GOARM64="v8.1")))
    assert either["exclusives"] > 100 * lse["exclusives"]
    assert either["LSE"] == lse["LSE"] > 100
    assert set(counted[counted["class"] == "barriers"].mnemonic) == {"dmb", "dsb", "isb"}


def test_a_census_of_some_functions(program):
    assert census(program, r"^main\.Add$").values.tolist() == [
        ["add", "other", 1],
        ["ret", "other", 1],
    ]
    with pytest.raises(BinaryError, match="no function of .* matches 'nothing like it'"):
        census(program, "nothing like it")
    with pytest.raises(BinaryError, match=r"'\(' is not a regular expression"):
        census(program, "(")


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


def test_a_path_may_have_spaces_and_begin_with_a_dash(program, tmp_path, monkeypatch):
    shutil.copy(program, tmp_path / "-a b")
    monkeypatch.chdir(tmp_path)
    assert disassemble("-a b", "main.Add").mnemonics == ("add", "ret")
