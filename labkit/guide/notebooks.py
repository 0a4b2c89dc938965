"""The guide's notebooks: where they are, and how they are selected by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import labkit
from labkit.errors import GuideError

__all__ = ["Notebook", "find", "notebooks_dir", "resolve"]

FIRST = "00-start-here.ipynb"
"""The notebook that every copy of the guide has. It identifies the directory."""


@dataclass(frozen=True)
class Notebook:
    """One notebook: its absolute path, and its name in the results.

    ``name`` is the path below the guide's ``notebooks`` directory without the suffix, such as
    ``02-environment/2.2-toolchain``. For a notebook outside of it, it is the file's name.
    """

    path: Path
    name: str


def notebooks_dir() -> Path:
    """The guide's ``notebooks`` directory: at or above the current one, or beside the package.

    It is beside the package only in an editable install. Raises :class:`GuideError`.
    """
    cwd = Path.cwd()
    for directory in (cwd, *cwd.parents, Path(labkit.__file__).parents[1]):
        for notebooks in (directory, directory / "notebooks"):
            if (notebooks / FIRST).is_file():
                return notebooks
    raise GuideError(
        f"there is no guide in {cwd} or above",
        expected=f"a directory with notebooks/{FIRST}",
        hint="change to the directory of the guide, or name a notebook's file",
    )


def find(directory: Path | None = None) -> list[Notebook]:
    """All notebooks below ``directory`` (default: the whole guide), sorted by path.

    Jupyter's checkpoints and other hidden files are left out. Raises :class:`GuideError` if
    there is none.
    """
    base = (directory or notebooks_dir()).resolve()
    paths = [path for path in sorted(base.rglob("*.ipynb")) if not _hidden(path, base)]
    if not paths:
        raise GuideError(f"there is no notebook in {base}", expected="files named *.ipynb")
    return [_notebook(path) for path in paths]


def resolve(names: Iterable[str]) -> list[Notebook]:
    """The notebooks of these names, in that order, without duplicates; no names: all of them.

    A name is a file, a directory, a section (``2.2``), a chapter (``2``), or a notebook's name
    (``00-start-here``). Raises :class:`GuideError`, with similar names, if there is none.

    >>> [notebook.name for notebook in resolve(["00-start-here"])]     # doctest: +SKIP
    ['00-start-here']
    """
    notebooks = [notebook for name in names for notebook in _resolve_one(name)]
    return list(dict.fromkeys(notebooks)) or find()


def _resolve_one(name: str) -> Sequence[Notebook]:
    path = Path(name)
    if name and path.is_dir():
        return find(path)
    if path.is_file():
        if path.suffix != ".ipynb":
            raise GuideError(f"{name} is not a notebook", expected="a file named *.ipynb")
        return [_notebook(path.resolve())]
    notebooks = find()
    requested = name.removesuffix(".ipynb")
    matching = [notebook for notebook in notebooks if _matches(notebook.name, requested)]
    if matching:
        return matching
    known = [short for notebook in notebooks for short in _short_names(notebook.name)]
    similar = difflib.get_close_matches(requested, list(dict.fromkeys(known)), n=3, cutoff=0.5)
    raise GuideError(
        f"there is no notebook {name!r}",
        expected=" or ".join(similar) if similar else "a file, or a section such as 2.2",
        hint="run all of them: labkit run" if not similar else "",
    )


def _matches(name: str, requested: str) -> bool:
    """Whether ``requested`` is the name, a part of its path, or the number at a part's start."""
    parts = name.split("/")
    return name == requested or any(
        part == requested or part.startswith((f"{requested}-", f"{requested}.")) for part in parts
    )


def _short_names(name: str) -> list[str]:
    """Short names of a notebook, for suggestions: the last part of its path, and its section."""
    last = name.rpartition("/")[2]
    return [last, last.partition("-")[0]]


def _notebook(path: Path) -> Notebook:
    try:
        relative = path.relative_to(notebooks_dir().resolve())
    except (ValueError, GuideError):
        relative = Path(path.name)
    return Notebook(path, relative.with_suffix("").as_posix())


def _hidden(path: Path, base: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(base).parts)
