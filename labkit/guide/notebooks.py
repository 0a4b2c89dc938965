"""The guide's notebooks: where they are, and which one a person means."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import labkit
from labkit.errors import GuideError

__all__ = ["Notebook", "find", "notebooks_dir", "resolve"]

FIRST = "00-start-here.ipynb"
"""The notebook that every copy of the guide has, and by which its folder is known."""


@dataclass(frozen=True)
class Notebook:
    """One notebook: its absolute path, and the name it has in results.

    ``name`` is the path below the guide's ``notebooks`` folder without the suffix, such as
    ``02-environment/2.2-toolchain``; for a notebook from elsewhere, the file's name.
    """

    path: Path
    name: str


def notebooks_dir() -> Path:
    """The guide's ``notebooks`` folder: above the current one, or beside the package.

    The second is there in an editable install only. Raises :class:`GuideError`.
    """
    here = Path.cwd()
    for directory in (here, *here.parents, Path(labkit.__file__).parents[1]):
        for notebooks in (directory, directory / "notebooks"):
            if (notebooks / FIRST).is_file():
                return notebooks
    raise GuideError(
        f"there is no guide in {here} or above",
        expected=f"a folder with notebooks/{FIRST}",
        hint="change to the folder of the guide, or name a notebook's file",
    )


def find(directory: Path | None = None) -> list[Notebook]:
    """All notebooks below ``directory`` (default: the whole guide), sorted by path.

    Jupyter's checkpoints and other hidden files are not notebooks. Raises :class:`GuideError`
    where there is none.
    """
    base = (directory or notebooks_dir()).resolve()
    paths = [path for path in sorted(base.rglob("*.ipynb")) if not _hidden(path, base)]
    if not paths:
        raise GuideError(f"there is no notebook in {base}", expected="files named *.ipynb")
    return [_notebook(path) for path in paths]


def resolve(typed: Iterable[str]) -> list[Notebook]:
    """The notebooks a person means, in that order and each once; nothing typed: all of them.

    Each is a file, a folder, or a name: ``2.2`` for a section, ``2`` for all of a chapter,
    ``00-start-here`` for a notebook. Raises :class:`GuideError`, with names that come near.

    >>> [notebook.name for notebook in resolve(["00-start-here"])]     # doctest: +SKIP
    ['00-start-here']
    """
    meant = [notebook for word in typed for notebook in _meant(word)]
    return list(dict.fromkeys(meant)) or find()


def _meant(word: str) -> Sequence[Notebook]:
    path = Path(word)
    if word and path.is_dir():
        return find(path)
    if path.is_file():
        if path.suffix != ".ipynb":
            raise GuideError(f"{word} is no notebook", expected="a file named *.ipynb")
        return [_notebook(path.resolve())]
    notebooks = find()
    wanted = word.removesuffix(".ipynb")
    named = [notebook for notebook in notebooks if _is_called(notebook.name, wanted)]
    if named:
        return named
    names = [name for notebook in notebooks for name in _names(notebook.name)]
    near = difflib.get_close_matches(wanted, list(dict.fromkeys(names)), n=3, cutoff=0.5)
    raise GuideError(
        f"there is no notebook {word!r}",
        expected=" or ".join(near) if near else "a file, or a section such as 2.2",
        hint="labkit run, without a name, for all of them" if not near else "",
    )


def _is_called(name: str, wanted: str) -> bool:
    """Whether ``wanted`` is the name, a part of its path, or the number such a part begins with."""
    parts = name.split("/")
    return name == wanted or any(
        part == wanted or part.startswith((f"{wanted}-", f"{wanted}.")) for part in parts
    )


def _names(name: str) -> list[str]:
    """What people may call a notebook, for suggestions: its last part, and its section."""
    last = name.rpartition("/")[2]
    return [last, last.partition("-")[0]]


def _notebook(path: Path) -> Notebook:
    try:
        below = path.relative_to(notebooks_dir().resolve())
    except (ValueError, GuideError):
        below = Path(path.name)
    return Notebook(path, below.with_suffix("").as_posix())


def _hidden(path: Path, base: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(base).parts)
