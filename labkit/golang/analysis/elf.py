"""The facts in an ELF file's headers: how it is linked, its sections, its symbols."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.display import StrRepr
from labkit.errors import BinaryError

if TYPE_CHECKING:
    import pandas
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

__all__ = ["ElfFacts", "elf_facts", "open_elf", "sections", "symbol_table", "symbols"]


@dataclass(frozen=True, repr=False)
class ElfFacts(StrRepr):
    """How a program is linked.

    ``type`` is ELF's name: EXEC runs at fixed addresses, DYN at any (a PIE, or a shared
    library). ``static`` is true if the kernel starts the file without a loader: it names no
    interpreter (PT_INTERP) and no library (DT_NEEDED). A static PIE is static too: it has a
    PT_DYNAMIC, but relocates itself. ``stripped`` is true without a symbol table; Go's panics
    still name functions then, because the runtime has a table of its own (.gopclntab).
    ``go_build_id`` is empty for a program of another language.
    """

    type: str
    machine: str
    static: bool
    interpreter: str
    needed: tuple[str, ...]
    stripped: bool
    has_dwarf: bool
    go_build_id: str

    def __str__(self) -> str:
        linked = "static" if self.static else f"loaded by {self.interpreter or 'nothing named'}"
        needed = f", needs {', '.join(self.needed)}" if self.needed else ""
        symbols = "stripped" if self.stripped else "with symbols"
        dwarf = "with DWARF" if self.has_dwarf else "without DWARF"
        return f"ELF {self.type} for {self.machine}, {linked}{needed}, {symbols}, {dwarf}"


def elf_facts(path: str | os.PathLike[str]) -> ElfFacts:
    """The facts of a file. Raises :class:`BinaryError` if it is not a complete ELF file.

    >>> elf_facts(build(source)).static                # doctest: +SKIP
    True
    """
    with open_elf(path) as elf:
        interpreter, needed = _interpreter(elf), _needed(elf)
        return ElfFacts(
            type=str(elf["e_type"]).removeprefix("ET_"),
            machine=elf.get_machine_arch(),
            static=not interpreter and not needed,
            interpreter=interpreter,
            needed=needed,
            stripped=symbol_table(elf) is None,
            # Go before 1.22 names its compressed sections .zdebug_*.
            has_dwarf=any(elf.get_section_by_name(f".{z}debug_info") for z in ("", "z")),
            go_build_id=_go_build_id(elf),
        )


def sections(path: str | os.PathLike[str]) -> pandas.DataFrame:
    """The sections in the file's order. Columns: name, type, address, size, file_bytes, share.

    ``size`` and ``file_bytes`` are in bytes: a NOBITS section such as .bss has a size in
    memory and no bytes in the file. ``share`` is the part of the file, 0 to 1; the headers and
    the gaps between sections make up the rest. Raises :class:`BinaryError`.

    >>> sections(build(source)).set_index("name").share.nlargest(3)     # doctest: +SKIP
    """
    import pandas

    with open_elf(path) as elf:
        file_size = Path(path).stat().st_size
        rows = [
            (
                section.name,
                str(section["sh_type"]).removeprefix("SHT_"),
                section["sh_addr"],
                section["sh_size"],
                0 if section["sh_type"] == "SHT_NOBITS" else section["sh_size"],
            )
            for section in elf.iter_sections()
            if section["sh_type"] != "SHT_NULL"
        ]
    columns = ["name", "type", "address", "size", "file_bytes"]
    frame = pandas.DataFrame(rows, columns=columns)
    frame["share"] = frame.file_bytes / file_size
    return frame


def symbols(path: str | os.PathLike[str]) -> pandas.DataFrame:
    """The symbol table in the order of addresses. Columns: name, kind, size, address, section.

    ``kind`` is ELF's name (FUNC, OBJECT, NOTYPE, TLS), ``size`` is in bytes. A stripped
    file has no rows. Raises :class:`BinaryError`.

    >>> symbols(build(source)).query("kind == 'FUNC'").nlargest(5, "size")   # doctest: +SKIP
    """
    import pandas

    with open_elf(path) as elf:
        section_names = [section.name for section in elf.iter_sections()]
        table = symbol_table(elf)
        rows = [
            (
                symbol.name,
                symbol["st_info"]["type"].removeprefix("STT_"),
                symbol["st_size"],
                symbol["st_value"],
                _section_name(symbol["st_shndx"], section_names),
            )
            for symbol in (table.iter_symbols() if table else ())
            if symbol.name and symbol["st_info"]["type"] not in ("STT_FILE", "STT_SECTION")
        ]
    rows.sort(key=lambda row: row[3])
    return pandas.DataFrame(rows, columns=["name", "kind", "size", "address", "section"])


@contextmanager
def open_elf(path: str | os.PathLike[str]) -> Iterator[ELFFile]:
    """Open a file with pyelftools, after checking that it is a complete ELF file.

    Raises :class:`BinaryError` for a file that is missing, empty, cut off, damaged or not ELF.
    """
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    file = Path(path)
    try:
        stream = file.open("rb")
    except OSError as error:
        raise BinaryError(f"{file}: {error.strerror}", expected="a program file") from error
    with stream:
        _require_magic(file, stream.read(4))
        try:
            elf = ELFFile(stream)
            _require_complete(file, elf)
            yield elf
        except (ELFError, UnicodeError, OSError) as error:
            raise BinaryError(
                f"{file} is a damaged ELF file: {error or type(error).__name__}",
                expected="a complete ELF file",
            ) from error


def _require_magic(file: Path, magic: bytes) -> None:
    if magic != b"\x7fELF":
        problem = "is empty" if not magic else f"is not an ELF file: it begins with {magic!r}"
        raise BinaryError(f"{file} {problem}", expected="a Linux program, such as build() makes")


def _require_complete(file: Path, elf: ELFFile) -> None:
    """Raise unless every section and segment lies within the file.

    A linker writes the headers first, so a file that is cut off still has them.
    """
    size = file.stat().st_size
    ends = [elf["e_phoff"] + elf["e_phnum"] * elf["e_phentsize"]]
    ends.append(elf["e_shoff"] + elf["e_shnum"] * elf["e_shentsize"])
    if max(ends) <= size:
        ends += [segment["p_offset"] + segment["p_filesz"] for segment in elf.iter_segments()]
        ends += [
            section["sh_offset"] + section["sh_size"]
            for section in elf.iter_sections()
            if section["sh_type"] not in ("SHT_NOBITS", "SHT_NULL")
        ]
    if max(ends) > size:
        raise BinaryError(
            f"{file} is cut off after {size:,} bytes", expected=f"at least {max(ends):,}"
        )


def symbol_table(elf: ELFFile) -> SymbolTableSection | None:
    """The symbol table, or None in a stripped file."""
    from elftools.elf.sections import SymbolTableSection

    table = elf.get_section_by_name(".symtab")
    return table if isinstance(table, SymbolTableSection) else None


def _interpreter(elf: ELFFile) -> str:
    from elftools.elf.segments import InterpSegment

    for segment in elf.iter_segments():
        if isinstance(segment, InterpSegment):
            return segment.get_interp_name()
    return ""


def _needed(elf: ELFFile) -> tuple[str, ...]:
    from elftools.elf.dynamic import DynamicSegment

    segments = [segment for segment in elf.iter_segments() if isinstance(segment, DynamicSegment)]
    tags: list[Any] = [tag for segment in segments for tag in segment.iter_tags("DT_NEEDED")]
    return tuple(tag.needed for tag in tags)


def _go_build_id(elf: ELFFile) -> str:
    from elftools.elf.sections import NoteSection

    section = elf.get_section_by_name(".note.go.buildid")
    for note in section.iter_notes() if isinstance(section, NoteSection) else ():
        content: Any = note["n_desc"]
        return str(content if isinstance(content, str) else bytes(content).decode())
    return ""


def _section_name(index: int | str, names: list[str]) -> str:
    """The name of a symbol's section; ABS or UNDEF where it has none."""
    if isinstance(index, str):
        return index.removeprefix("SHN_")
    return names[index] if index < len(names) else ""
