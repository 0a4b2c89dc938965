"""A notebook's parameters: which it has, and whether given values fit them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from labkit.errors import GuideError
from labkit.guide.notebooks import Notebook

__all__ = ["BOARD", "PLATFORM", "fill", "parse", "read_parameters", "read_source"]

PLATFORM = "platform"
"""The parameter every notebook has: the kind of board."""

BOARD = "board_name"
"""The parameter for a board by name; empty: a virtual board of that platform."""


def parse(words: Iterable[str]) -> dict[str, object]:
    """What a person typed as ``NAME=VALUE``, still as text. Raises :class:`GuideError`.

    >>> parse(["seconds=5"])
    {'seconds': '5'}
    """
    given: dict[str, object] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.strip().isidentifier():
            raise GuideError(f"{word!r} is no parameter", expected="NAME=VALUE")
        given[name.strip()] = value
    return given


def read_source(path: Path) -> Any:
    """A notebook as nbformat reads it. Raises :class:`GuideError` where it is none."""
    # Only here: nbformat takes a fifth of a second to import.
    import nbformat

    try:
        return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except Exception as wrong:  # of any kind: nbformat assumes much of what it reads
        why = str(wrong).strip().splitlines() or [type(wrong).__name__]
        raise GuideError(
            f"{path} cannot be read: {why[0][:120]}", expected="a Jupyter notebook"
        ) from wrong


def read_parameters(path: Path) -> dict[str, object]:
    """A notebook's parameters with their defaults, in order.

    They are what the first cell with the tag ``parameters`` assigns. A default that is no
    plain literal counts as None. Raises :class:`GuideError`.
    """
    for cell in read_source(path).cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
            return _assigned(cell.source, path)
    return {}


def fill(
    notebooks: Iterable[Notebook], platform: str, board: str, given: Mapping[str, object]
) -> dict[Notebook, dict[str, object]]:
    """The values each notebook is to run with.

    Each notebook takes those of the ``given`` parameters it has; one that none of them has
    is a mistake. Text is read as the type of the notebook's default. Raises
    :class:`GuideError` for that, and for a value that does not fit.
    """
    for name, option in {PLATFORM: "--platform", BOARD: "--board"}.items():
        if name in given:
            raise GuideError(f"{name} is given as a parameter", hint=f"use {option} NAME")
    known = {notebook: read_parameters(notebook.path) for notebook in notebooks}
    for name in given:
        if not any(name in defaults for defaults in known.values()):
            has = sorted({key for defaults in known.values() for key in defaults})
            raise GuideError(
                f"no notebook of this run has a parameter {name!r}",
                expected=f"one of {', '.join(has) or 'none at all'}",
            )
    return {
        notebook: _values(notebook, defaults, platform, board, given)
        for notebook, defaults in known.items()
    }


def _values(
    notebook: Notebook,
    defaults: Mapping[str, object],
    platform: str,
    board: str,
    given: Mapping[str, object],
) -> dict[str, object]:
    for name, needed in {PLATFORM: True, BOARD: bool(board)}.items():
        if needed and name not in defaults:
            raise GuideError(
                f"{notebook.name} has no parameter {name!r}",
                expected="a cell with the tag `parameters` that assigns it",
            )
    ours: dict[str, object] = {PLATFORM: platform, BOARD: board}
    fitting = {
        name: _fit(notebook, name, given[name], defaults[name])
        for name in given
        if name in defaults
    }
    return {**{name: ours[name] for name in ours if name in defaults}, **fitting}


def _fit(notebook: Notebook, name: str, given: object, default: object) -> object:
    """The given value as the type of the default. Raises :class:`GuideError`."""
    if default is None or (isinstance(default, str) and isinstance(given, str)):
        return given
    value = _literal(given) if isinstance(given, str) else given
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if type(value) is not type(default):
        raise GuideError(
            f"{name}={given} does not fit {notebook.name}",
            expected=f"a value of type {type(default).__name__}, such as {default!r}",
        )
    return value


def _assigned(source: str, path: Path) -> dict[str, object]:
    try:
        statements = ast.parse(source).body
    except SyntaxError as wrong:
        raise GuideError(
            f"the parameters cell of {path} is not Python: {wrong.msg}",
            expected="plain assignments",
        ) from wrong
    found: dict[str, object] = {}
    for statement in statements:
        if isinstance(statement, ast.Assign):
            targets, value = statement.targets, statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value:
            targets, value = [statement.target], statement.value
        else:
            continue
        found |= {to.id: _literal(value) for to in targets if isinstance(to, ast.Name)}
    return found


def _literal(value: str | ast.expr) -> object:
    """What a literal stands for; None where it is none."""
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError):
        return None
