"""The processor that an ELF file is built for, read from its header by pyelftools.

The names are those of ``e_machine`` in elf.h, and for each the name that Go and the kernel use.
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
"""The value of GOARCH for each ``e_machine`` that names one alone (Go's cmd/link, ``elf.go``)."""

UNAME = {
    "EM_386": "i686",
    "EM_AARCH64": "aarch64",
    "EM_ARM": "armv7l",
    "EM_RISCV": "riscv64",
    "EM_X86_64": "x86_64",
}
"""What ``uname -m`` prints on a machine that runs these files."""


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
    # The fields after e_machine are not read: zeros stand in for what the caller left out.
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
    """The same ELF header, but for the processor ``machine``.

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
    from elftools.elf.structs import ELFStructs  # here, for `import labkit.golang` stays quick

    structs = ELFStructs(little_endian=header[5] != 2, elfclass=32 if header[4] == 1 else 64)
    structs.create_basic_structs()
    return structs
