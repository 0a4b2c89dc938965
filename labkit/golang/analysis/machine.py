"""The processor that an ELF file is built for, read from its header by pyelftools.

A machine has a name in elf.h (``EM_AARCH64``), in Go (``arm64``) and in the kernel (``aarch64``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elftools.elf.structs import ELFStructs

__all__ = [
    "GOARCH",
    "HEADER_BYTES",
    "MACHINE_BYTES",
    "UNAME",
    "e_machine",
    "goarch",
    "uname",
    "with_machine",
]

HEADER_BYTES = 64
"""Bytes of the header of a 64-bit ELF file; that of a 32-bit file has 52."""

MACHINE_BYTES = 20
"""Bytes at the beginning of a file that suffice for :func:`e_machine`."""

GOARCH = {
    "EM_386": "386",
    "EM_AARCH64": "arm64",
    "EM_ARM": "arm",
    "EM_LOONGARCH": "loong64",
    "EM_RISCV": "riscv64",
    "EM_S390": "s390x",
    "EM_X86_64": "amd64",
}
"""Values of GOARCH (``elf.go`` in Go's cmd/link), but for machines of several, such as EM_MIPS."""

UNAME = {
    "EM_386": "i686",
    "EM_AARCH64": "aarch64",
    "EM_ARM": "armv7l",
    "EM_RISCV": "riscv64",
    "EM_X86_64": "x86_64",
}
"""What ``uname -m`` prints on such a machine; a 32-bit Arm one may also print armv6l or armv8l."""


def e_machine(header: bytes) -> str:
    """The processor that an ELF file is built for: ``EM_AARCH64``.

    ``header`` is the beginning of the file, at least :data:`MACHINE_BYTES`. The result is empty
    where that is too short or not ELF, and ``machine 9999`` for a number without a name.

    >>> e_machine(b"\\x7fELF\\x02\\x01" + bytes(12) + b"\\xb7\\x00")
    'EM_AARCH64'
    >>> e_machine(b"#!/bin/sh")
    ''
    """
    if header[:4] != b"\x7fELF" or len(header) < MACHINE_BYTES:
        return ""
    # The struct needs a complete header; the fields after e_machine are not used.
    machine = _structs(header).Elf_Ehdr.parse(header.ljust(HEADER_BYTES, b"\0"))["e_machine"]
    return machine if isinstance(machine, str) else f"machine {machine}"


def goarch(machine: str) -> str:
    """Go's name of a processor: ``arm64``; a machine without one keeps its ELF name.

    >>> goarch("EM_AARCH64"), goarch("machine 9999")
    ('arm64', 'machine 9999')
    """
    return GOARCH.get(machine, machine)


def uname(machine: str) -> str:
    """The kernel's name of a processor: ``aarch64``; a machine without one keeps its ELF name.

    >>> uname("EM_AARCH64"), uname("EM_S390")
    ('aarch64', 'EM_S390')
    """
    return UNAME.get(machine, machine)


def with_machine(header: bytes, machine: str) -> bytes:
    """The same ELF header for another processor, ``machine``.

    ``header`` has :data:`HEADER_BYTES`.

    >>> header = b"\\x7fELF\\x02\\x01\\x01" + bytes(11) + b"\\xb7\\x00" + bytes(44)
    >>> e_machine(with_machine(header, "EM_X86_64"))
    'EM_X86_64'
    """
    structure = _structs(header).Elf_Ehdr
    fields = structure.parse(header)
    fields["e_machine"] = machine
    return bytes(structure.build(fields))


def _structs(header: bytes) -> ELFStructs:
    """The layout of an ELF header: bytes 4 and 5 of it give the word size and the byte order."""
    from elftools.elf.structs import ELFStructs  # only here: it would slow labkit.golang's import

    structs = ELFStructs(little_endian=header[5] != 2, elfclass=32 if header[4] == 1 else 64)
    structs.create_basic_structs()
    return structs
