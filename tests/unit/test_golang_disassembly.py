"""Machine code of real Go programs: one function, and all functions."""

import re
import shutil

import pytest

from labkit.errors import BinaryError, ToolNotFound
from labkit.golang.analysis.disassembly import disassemble, iter_functions, labels
from labkit.golang.analysis.elf import symbols
from labkit.golang.analysis.instruction import Instruction
from labkit.golang.analysis.mix import instruction_mix
from labkit.golang.program.build import build

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


@pytest.fixture(scope="module")
def program():
    return build(PROGRAM, name="program", GOARM64="v8.0")


def test_one_function_reads_as_text(program):
    function = disassemble(program, "main.Add")
    assert function.mnemonics == ("add", "ret")
    assert str(function) == (
        f"main.Add: 2 instructions at {function.address:#x}\n"
        "        0x0  add      x0, x0, x1\n"
        "        0x4  ret"
    )
    assert "        0x0  8b010000  add      x0, x0, x1\n" in function.text(encoding=True)
    first = function.instructions[0]
    assert first == Instruction(function.address, 0x8B010000, "add", "x0, x0, x1")


def test_targets_have_labels_within_a_function_and_names_outside(program):
    function = disassemble(program, "main.Sum")
    text = str(function)
    assert re.search(r"^ +0x\w+  bl       main\.Add$", text, re.MULTILINE)
    used = set(re.findall(r"\bL\d+$", text, re.MULTILINE))
    assert used == set(re.findall(r"^L\d+(?=:)", text, re.MULTILINE))
    assert used == set(labels(function.instructions).values())
    assert len(used) >= 3  # the loop, its end, the call that grows the stack


@pytest.mark.slow
def test_methods_generics_and_runtime_functions_are_found_by_their_names(program):
    names = set(symbols(program).name)
    generic = next(name for name in names if name.startswith("main.First[") and "//" in name)
    assert "fmul" in disassemble(program, "main.(*Box).Double").mnemonics or (
        "fadd" in disassemble(program, "main.(*Box).Double").mnemonics
    )
    assert disassemble(program, "runtime.(*mheap).alloc").mnemonics[-1] == "b"
    assert disassemble(program, generic).name == generic
    instructions = disassemble(program, "main.main").instructions
    assert generic in {line.parts[2] for line in instructions if line.target}


def test_lse_atomics_have_names(program):
    both = disassemble(program, "main.Count").mnemonics  # the CPU decides at run time
    assert {"ldaddal", "ldaxr", "stlxr"} <= set(both)
    only_lse = disassemble(build(PROGRAM, name="program", GOARM64="v8.1"), "main.Count").mnemonics
    assert "ldaddal" in only_lse
    assert "ldaxr" not in only_lse


@pytest.mark.slow
def test_all_functions_are_those_of_the_symbol_table_with_the_same_code(program):
    table = symbols(program).query("kind == 'FUNC' and size > 4")
    by_name = {function.name: function for function in iter_functions(program)}
    assert set(table.name) == set(by_name)
    for name in ("main.Sum", "runtime.mallocgc", "runtime.memmove", "fmt.Fprintln"):
        assert disassemble(program, name) == by_name[name]
    # What is left out of a function is the padding behind it, at most an UNDEF and 12 bytes.
    sizes = table.set_index("name")["size"]
    left_out = [sizes[name] - 4 * len(code.instructions) for name, code in by_name.items()]
    assert min(left_out) >= 0
    assert max(left_out) <= 16


def test_the_error_for_an_unknown_function_names_similar_ones(program):
    with pytest.raises(BinaryError, match=r"no function 'Add' in .*such as main\.Add") as caught:
        disassemble(program, "Add")
    assert "//go:noinline" in str(caught.value)
    with pytest.raises(BinaryError, match=r"such as runtime\.mallocgc"):
        disassemble(program, "runtime.malocgc")


@pytest.mark.parametrize(
    "read",
    [lambda p: disassemble(p, "main.main"), instruction_mix],
    ids=["disassemble", "instruction_mix"],
)
def test_a_file_without_arm64_code_or_names_is_rejected(read, tmp_path):
    with pytest.raises(BinaryError, match=r"is stripped: it names no functions.*-ldflags"):
        read(build(PROGRAM, name="program", ldflags="-s"))
    with pytest.raises(BinaryError, match="is a program for x64; expected arm64"):
        read(build(PROGRAM, name="program", GOARCH="amd64"))
    with pytest.raises(BinaryError, match="No such file"):
        read(tmp_path / "missing")


def test_without_objdump_the_error_says_how_to_install_it(program, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolNotFound, match="aarch64-linux-gnu-objdump"):
        disassemble(program, "main.Add")


def test_a_path_may_have_spaces_and_begin_with_a_dash(program, tmp_path, monkeypatch):
    shutil.copy(program, tmp_path / "-a b")
    monkeypatch.chdir(tmp_path)
    assert disassemble("-a b", "main.Add").mnemonics == ("add", "ret")
