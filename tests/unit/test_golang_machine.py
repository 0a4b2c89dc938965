"""The processor in an ELF header: of real programs, and of headers of other kinds."""

import struct

import pytest

from labkit.golang import build, toolchain
from labkit.golang.analysis.elf import open_elf
from labkit.golang.analysis.machine import (
    GOARCH,
    HEADER_BYTES,
    MACHINE_BYTES,
    UNAME,
    e_machine,
    goarch,
    uname,
    with_machine,
)


def header(number, *, bits=2, order=1):
    """The first bytes of an ELF file: its identification, e_type and e_machine."""
    fields = struct.pack("<HH" if order == 1 else ">HH", 2, number)
    return b"\x7fELF" + bytes([bits, order, 1]) + bytes(9) + fields


def first_bytes(path, count):
    with path.open("rb") as file:
        return file.read(count)


def test_real_programs_name_their_processor():
    arm64 = build("package main\n\nfunc main() {}\n").path
    assert e_machine(first_bytes(arm64, MACHINE_BYTES)) == "EM_AARCH64"
    host = toolchain()
    assert goarch(e_machine(first_bytes(host.go, MACHINE_BYTES))) == host.arch


# Numbers of elf.h; the order of bytes is 1 for little, 2 for big endian.
@pytest.mark.parametrize(
    ("number", "bits", "order", "names"),
    [
        (183, 2, 1, ("EM_AARCH64", "arm64", "aarch64")),
        (40, 1, 1, ("EM_ARM", "arm", "armv7l")),
        (62, 2, 1, ("EM_X86_64", "amd64", "x86_64")),
        (3, 1, 1, ("EM_386", "386", "i686")),
        (243, 2, 1, ("EM_RISCV", "riscv64", "riscv64")),
        (22, 2, 2, ("EM_S390", "s390x", "EM_S390")),
        (258, 2, 1, ("EM_LOONGARCH", "loong64", "EM_LOONGARCH")),
        (9999, 2, 1, ("machine 9999",) * 3),
    ],
)
def test_a_machine_has_a_name_in_elf_in_go_and_in_the_kernel(number, bits, order, names):
    machine = e_machine(header(number, bits=bits, order=order))
    assert (machine, goarch(machine), uname(machine)) == names


def test_every_machine_with_a_name_is_one_that_pyelftools_knows():
    from elftools.elf.enums import ENUM_E_MACHINE

    assert {*GOARCH, *UNAME} <= set(ENUM_E_MACHINE)


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\nexec go\n" + bytes(20), header(183)[:-1]])
def test_what_is_no_elf_header_has_no_machine(content):
    assert e_machine(content) == ""


def test_only_the_machine_of_a_header_is_replaced(tmp_path):
    before = first_bytes(toolchain().go, HEADER_BYTES)
    other = "EM_X86_64" if e_machine(before) == "EM_AARCH64" else "EM_AARCH64"
    after = with_machine(before, other)
    assert e_machine(after) == other
    assert (after[:18], after[20:]) == (before[:18], before[20:])
    assert with_machine(after, e_machine(before)) == before

    program = build("package main\n\nfunc main() {}\n").path.read_bytes()
    patched = tmp_path / "patched"
    patched.write_bytes(with_machine(program[:HEADER_BYTES], "EM_RISCV") + program[HEADER_BYTES:])
    with open_elf(patched) as elf:
        assert elf["e_machine"] == "EM_RISCV"
