"""diff_code: which changes of the code it finds, and which it rightly ignores."""

import random
import struct
from pathlib import Path

import pytest

from labkit.errors import BinaryError
from labkit.golang import toolchain
from labkit.golang.analysis.diff import diff_code
from labkit.golang.analysis.disassembly import disassemble, function_symbols, iter_functions
from labkit.golang.analysis.elf import open_elf
from labkit.golang.program.build import build

# Whole programs are compiled and compared.
pytestmark = pytest.mark.slow

PROGRAM = """package main

import "fmt"

type pair struct{ a, b int }

var counter, spare int

//go:noinline
func immediate(x int) int { return x*8 + 1 }

//go:noinline
func condition(x int) int {
	for i := 0; i < x; i++ {
		if counter > 7 {
			counter ^= i
		}
	}
	return x
}

//go:noinline
func variable() { counter++ }

//go:noinline
func field(p *pair) int { return p.a }

//go:noinline
func call(x int) int { return immediate(x) + 1 }

//go:noinline
func value() func(int) int { return immediate }

//go:noinline
func boxed(x int) any { return pair{x, x} }

//go:noinline
func added(x int) int { return x ^ 3 }

//go:noinline
func text() string { return "hello" }

func main() {
	variable()
	fmt.Println(condition(3), field(&pair{}), call(2), value()(1), boxed(4), added(5), text())
	fmt.Println(spare, immediate(6))
}
"""

CHANGES = {
    "main.immediate": ("x*8 + 1", "x*8 + 2", 1),
    "main.condition": ("counter > 7", "counter < 7", 1),
    "main.variable": ("counter++", "spare++", 2),
    "main.field": ("return p.a", "return p.b", 1),
    "main.call": ("return immediate(x)", "return condition(x)", 1),
    "main.value": ("int { return immediate }", "int { return condition }", 1),
    "main.boxed": ("any { return pair{x, x} }", "any { return [2]int{x, x} }", 2),
    "main.added": ("x ^ 3", "x ^ (3 + counter)", 4),
}

# Compiled before all other functions, so that all code and data after it move.
BEFORE = """
var aardvark [3000]int

//go:noinline
func aaa(x int) string {
	aardvark[x&1023]++
	return fmt.Sprintf("more text, of another length: %v %v", aardvark[1:], 3.25)
}

func init() { fmt.Println(aaa(1)) }
"""


@pytest.fixture(scope="module")
def program():
    return build(PROGRAM, name="program")


@pytest.fixture(scope="module")
def changed():
    source = PROGRAM
    for before, after, _ in CHANGES.values():
        assert source.count(before) == 1
        source = source.replace(before, after)
    return build(source, name="changed")


@pytest.fixture(scope="module")
def comparison(program, changed):
    return diff_code(program, changed)


def test_each_changed_function_is_found_with_the_number_of_its_changed_instructions(comparison):
    frame = comparison.changed
    assert set(frame.status) == {"changed"}
    expected = {name: count for name, (_, _, count) in CHANGES.items()}
    assert dict(zip(frame.function, frame.changed_instructions, strict=True)) == expected
    assert not comparison.identical


def test_a_diff_shows_the_changed_instruction_and_no_addresses(comparison, program):
    lines = comparison.diff("main.immediate").splitlines()
    assert lines[:2] == ["--- first/program", "+++ second/changed"]
    assert [line for line in lines[2:] if line[0] in "+-"] == [
        "-    add      x0, x1, #0x1",
        "+    add      x0, x1, #0x2",
    ]
    value = comparison.diff("main.value")
    assert "-    add      x0, x0, &main.immediate" in value
    assert "+    add      x0, x0, &main.condition" in value
    assert comparison.diff("main.text") == ""
    with pytest.raises(BinaryError, match=r"such as main\.immediate"):
        comparison.diff("main.imediate")


def test_the_summary_counts_the_functions_that_differ(comparison, program):
    count = len(comparison.functions)
    assert str(comparison) == (
        f"first/program and second/changed: {count - 8:,} functions are the same, 8 changed, "
        "0 only in the first, 0 only in the second."
    )
    page = comparison._repr_html_()
    assert "<table" in page
    assert "main.immediate" in page


def test_code_and_data_that_move_are_no_change(program):
    moved = build(PROGRAM.replace("\n//go", BEFORE + "\n//go", 1), name="moved")
    before, after = (disassemble(path, "main.condition").address for path in (program, moved))
    assert before != after
    frame = diff_code(program, moved).changed
    assert set(frame.status) == {"only in second"}
    assert {"main.aaa", "main.init.0"} <= set(frame.function)
    assert "main.condition" not in set(frame.function)


def test_another_dir_without_trimpath_is_no_change(program, tmp_path):
    directory = tmp_path / "quite" / "another"
    directory.mkdir(parents=True)
    (directory / "main.go").write_text(PROGRAM)
    (directory / "go.mod").write_text(f"module program\n\ngo {toolchain().language_version}\n")
    other = build(directory, name="program", trimpath=False)
    assert other.path.read_bytes() != program.path.read_bytes()
    result = diff_code(program, other)
    assert result.identical
    assert result.changed.empty
    assert str(result).endswith(f"the code of all {len(result.functions):,} functions is the same.")


def test_position_independent_programs_are_compared_too():
    first = build(PROGRAM, name="pie", buildmode="pie")
    second = build(
        PROGRAM.replace("x*8 + 1", "x*8 + 2").replace("\n//go", BEFORE + "\n//go", 1),
        name="pie",
        buildmode="pie",
    )
    frame = diff_code(first, second).changed.query("status == 'changed'")
    assert frame.function.to_list() == ["main.immediate"]


def test_goarm64_changes_the_atomics_and_leaves_the_rest(program):
    result = diff_code(program, build(PROGRAM, name="lse", GOARM64="v8.1"))
    names = set(result.changed.function)
    assert "internal/poll.(*fdMutex).rwlock" in names
    assert not {"main.condition", "runtime.memmove", "strconv.AppendInt"} & names
    diff = result.diff("internal/poll.(*fdMutex).rwlock").splitlines()
    assert any(line.startswith("-") and "ldaxr" in line for line in diff)
    assert not any(line.startswith("+") and "ldaxr" in line for line in diff)


def test_a_branch_that_goes_elsewhere_is_one_change(program, tmp_path):
    code = disassemble(program, "main.condition").instructions
    branch = next(line for line in code if line.mnemonic in ("b.lt", "b.le", "b.gt"))
    # One instruction further: imm19 is in bits 5 to 23.
    patched = _patched(program, tmp_path, {branch.address: branch.word + (1 << 5)})
    frame = diff_code(program, patched).changed
    assert frame.values.tolist() == [["main.condition", "changed", 1]]


def test_any_changed_bit_of_an_instruction_is_found_and_nothing_else(program, tmp_path):
    rng = random.Random(7)
    mnemonics = {"cmp", "sub", "movk", "b.ls", "b.ne", "b.eq", "cbz", "cbnz", "tbz", "bl", "mul"}
    patches, names = {}, set()
    for function in iter_functions(program):
        candidates = [line for line in function.instructions if line.mnemonic in mnemonics]
        if candidates:
            instruction = rng.choice(candidates)
            patches[instruction.address] = instruction.word ^ 1 << rng.randrange(5, 24)
            names.add(function.name)
    assert len(names) > 1000
    patched = _patched(program, tmp_path, patches)
    frame = diff_code(program, patched).changed
    assert set(frame.function) == names
    assert frame.changed_instructions.max() <= 4


def test_functions_of_one_name_are_compared_with_the_most_similar(program, tmp_path):
    """C files and linkers produce them; here, main.field and main.added are renamed."""
    twins = _copy(
        program, tmp_path / "twins", {"main.field": "main.value", "main.added": "main.value"}
    )
    names = [symbol.name for symbol in function_symbols(twins)]
    names = [name for name in names if name.startswith("main.value")]
    assert names == ["main.value", "main.value#2", "main.value#3"]
    first, second, third = (disassemble(twins, name).instructions for name in names)
    assert len({first, second, third}) == 3

    one_gone = _copy(program, tmp_path / "one-gone", {"main.added": "main.value"})
    count = len(disassemble(program, "main.field").instructions)
    assert diff_code(twins, one_gone).changed.values.tolist() == [
        ["main.main", "changed", 1],  # it calls main.field again
        ["main.value", "only in first", count],
        ["main.field", "only in second", count],
    ]


def test_a_stripped_program_is_reported_on_either_side(program):
    stripped = build(PROGRAM, name="program", ldflags="-s")
    for pair in ((program, stripped), (stripped, program)):
        with pytest.raises(BinaryError, match="is stripped: it names no functions"):
            diff_code(*pair)


def _patched(path, directory, patches):
    """A copy of a program with other instructions at some addresses: ``{address: word}``."""
    with open_elf(path) as elf:
        text = elf.get_section_by_name(".text")
        offset = text["sh_offset"] - text["sh_addr"]
    content = bytearray(Path(path).read_bytes())
    for address, word in patches.items():
        struct.pack_into("<I", content, address + offset, word)
    copy = directory / "patched"
    copy.write_bytes(content)
    return copy


def _copy(path, copy, names):
    """A copy of a program whose symbols have other names of the same length."""
    content = Path(path).read_bytes()
    for name, other in names.items():
        assert content.count(f"\0{name}\0".encode()) >= 1
        content = content.replace(f"\0{name}\0".encode(), f"\0{other}\0".encode())
    copy.write_bytes(content)
    return copy
