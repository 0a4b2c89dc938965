"""The facts of ELF files, read from real programs and from files that are none."""

import os
import shutil
import subprocess

import pytest

from labkit.errors import BinaryError
from labkit.golang.analysis.elf import elf_facts, sections, symbols
from labkit.golang.program.build import build

HELLO = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") }\n'
WITH_C = (
    'package main\n\n// #include <stdlib.h>\nimport "C"\n\nfunc main() { println(C.abs(-3)) }\n'
)


@pytest.fixture(scope="module")
def hello():
    return build(HELLO, name="hello")


def test_a_go_program_is_static_and_has_symbols_and_dwarf(hello):
    facts = elf_facts(hello)
    assert (facts.type, facts.machine, facts.static) == ("EXEC", "AArch64", True)
    assert (facts.interpreter, facts.needed) == ("", ())
    assert not facts.stripped
    assert facts.has_dwarf
    assert repr(facts) == "ELF EXEC for AArch64, static, with symbols, with DWARF"


def test_the_build_id_is_the_one_given_to_the_linker():
    chosen = build(HELLO, name="hello", ldflags="-buildid=of/the/guide")
    assert elf_facts(chosen).go_build_id == "of/the/guide"


def test_a_pie_names_a_loader():
    facts = elf_facts(build(HELLO, name="hello", buildmode="pie"))
    assert (facts.type, facts.static) == ("DYN", False)
    assert facts.interpreter == "/lib/ld-linux-aarch64.so.1"


@pytest.mark.parametrize(("cc", "static"), [("zig-glibc", False), ("zig-musl", True)])
def test_a_program_with_c_needs_the_libc_it_was_not_linked_with(cc, static):
    facts = elf_facts(build(WITH_C, name="with-c", cc=cc))
    assert facts.static is static
    assert ("libc.so.6" in facts.needed) is not static


def test_a_stripped_program_has_sections_and_no_symbols(hello):
    small = build(HELLO, name="hello", ldflags="-s -w")
    facts = elf_facts(small)
    assert facts.stripped
    assert not facts.has_dwarf
    assert symbols(small).empty
    assert list(symbols(small).columns) == list(symbols(hello).columns)
    assert not sections(small).empty


def test_a_program_for_another_processor_has_another_machine():
    assert elf_facts(build(HELLO, name="hello", GOARCH="amd64")).machine == "x64"


def test_sections_add_up_to_the_file_and_bss_has_no_bytes_in_it(hello):
    frame = sections(hello).set_index("name")
    assert frame.loc[".bss", "size"] > 0
    assert frame.loc[".bss", "file_bytes"] == 0
    assert frame.file_bytes.sum() <= hello.size
    assert frame.share.sum() > 0.9
    assert frame.share[".gopclntab"] == frame.file_bytes[".gopclntab"] / hello.size
    allocated = frame[frame.address > 0].address
    assert list(allocated) == sorted(allocated)


def test_symbols_are_those_that_nm_prints(hello):
    lines = subprocess.run(
        ["aarch64-linux-gnu-nm", "--defined-only", "--no-sort", os.fspath(hello)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    nm = {(int(line[:16], 16), line[19:]) for line in lines}
    frame = symbols(hello)
    defined = frame[frame.section != "UNDEF"]
    assert set(zip(defined.address, defined.name, strict=True)) == nm
    main = frame[frame.name == "main.main"].iloc[0]
    assert (main.kind, main.section) == ("FUNC", ".text")
    assert main["size"] > 0


@pytest.mark.parametrize("read", [elf_facts, sections, symbols])
def test_a_file_that_is_not_elf_is_an_error_of_one_line(read, tmp_path):
    (tmp_path / "empty").touch()
    (tmp_path / "script").write_text("#!/bin/sh\n")
    for name, problem in [
        ("missing", "No such file"),
        ("empty", "is empty"),
        ("script", "is not an ELF file: it begins with b'#!/b'"),
        (".", "Is a directory"),
    ]:
        with pytest.raises(BinaryError, match=problem) as error:
            read(tmp_path / name)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", [4, 63, 64, 4096, 1_000_000, -1])
def test_a_file_that_is_cut_off_is_rejected(hello, tmp_path, size):
    short = tmp_path / "short"
    shutil.copy(hello, short)
    os.truncate(short, size if size > 0 else hello.size - 1)
    for read in (elf_facts, sections, symbols):
        with pytest.raises(BinaryError, match="cut off|damaged"):
            read(short)
