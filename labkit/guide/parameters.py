"""The parameters of notebooks: their names and defaults, and the values of a run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from labkit.errors import GuideError
from labkit.guide.notebooks import Notebook

__all__ = ["BOARD", "PLATFORM", "bind", "parse", "read_parameters", "read_source"]

PLATFORM = "platform"
"""The parameter for the platform of the board. Every notebook has it."""

BOARD = "board_name"
"""The parameter for the name of the board. Empty: a virtual board of that platform."""


def parse(arguments: Iterable[str]) -> dict[str, object]:
    """Parse arguments of the form ``NAME=VALUE``; the values stay text.

    Raises :class:`GuideError`.

    >>> parse(["seconds=5"])
    {'seconds': '5'}
    """
    values: dict[str, object] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or not name.strip().isidentifier():
            raise GuideError(f"{argument!r} is not a parameter", expected="NAME=VALUE")
        values[name.strip()] = value
    return values


def read_source(path: Path) -> Any:
    """A notebook as nbformat reads it. Raises :class:`GuideError` if the file is not one."""
    # Imported here: nbformat takes a fifth of a second to import.
    import nbformat

    try:
        return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except Exception as error:  # nbformat raises errors of many types for other files
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise GuideError(
            f"{path} cannot be read: {lines[0][:120]}", expected="a Jupyter notebook"
        ) from error


def read_parameters(path: Path) -> dict[str, object]:
    """A notebook's parameters with their defaults, in order.

    The first cell with the tag ``parameters`` assigns them. A default that is not a literal
    counts as None. Raises :class:`GuideError`.
    """
    for cell in read_source(path).cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
            return _assigned(cell.source, path)
    return {}


def bind(
    notebooks: Iterable[Notebook], platform: str, board: str, values: Mapping[str, object]
) -> dict[Notebook, dict[str, object]]:
    """The values each notebook runs with.

    A notebook takes those of ``values`` that are parameters of it. Text is converted to the
    type of the notebook's default. Raises :class:`GuideError` for a name that is a parameter of
    no notebook, and for a value of another type than the default.
    """
    for name, option in {PLATFORM: "--platform", BOARD: "--board"}.items():
        if name in values:
            raise GuideError(f"{name} is given as a parameter", hint=f"use {option} NAME")
    defaults = {notebook: read_parameters(notebook.path) for notebook in notebooks}
    known = sorted({name for parameters in defaults.values() for name in parameters})
    for name in values:
        if name not in known:
            raise GuideError(
                f"no notebook of this run has a parameter {name!r}",
                expected=f"one of {', '.join(known) or 'none at all'}",
            )
    return {
        notebook: _values(notebook, parameters, platform, board, values)
        for notebook, parameters in defaults.items()
    }


def _values(
    notebook: Notebook,
    defaults: Mapping[str, object],
    platform: str,
    board: str,
    values: Mapping[str, object],
) -> dict[str, object]:
    for name, required in {PLATFORM: True, BOARD: bool(board)}.items():
        if required and name not in defaults:
            raise GuideError(
                f"{notebook.name} has no parameter {name!r}",
                expected="a cell with the tag `parameters` that assigns it",
            )
    options: dict[str, object] = {PLATFORM: platform, BOARD: board}
    converted = {
        name: _convert(notebook, name, value, defaults[name])
        for name, value in values.items()
        if name in defaults
    }
    return {**{name: options[name] for name in options if name in defaults}, **converted}


def _convert(notebook: Notebook, name: str, value: object, default: object) -> object:
    """A value, or the text of one, as the type of the default. Raises :class:`GuideError`."""
    if default is None or (isinstance(default, str) and isinstance(value, str)):
        return value
    converted = _literal(value) if isinstance(value, str) else value
    if isinstance(default, float) and type(converted) is int:
        return float(converted)
    if type(converted) is not type(default):
        raise GuideError(
            f"{name}={value} does not fit {notebook.name}",
            expected=f"a value of type {type(default).__name__}, such as {default!r}",
        )
    return converted


def _assigned(source: str, path: Path) -> dict[str, object]:
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise GuideError(
            f"the parameters cell of {path} is not Python: {error.msg}",
            expected="plain assignments",
        ) from error
    parameters: dict[str, object] = {}
    for statement in statements:
        if isinstance(statement, ast.Assign):
            targets, value = statement.targets, statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value:
            targets, value = [statement.target], statement.value
        else:
            continue
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        parameters |= {name: _literal(value) for name in names}
    return parameters


def _literal(value: str | ast.expr) -> object:
    """The value of a literal; None if it is not one."""
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError):
        return None
