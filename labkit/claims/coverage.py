"""Comparing the claims table with the notebooks that judge its claims."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from labkit.claims.table import claims, section, sections
from labkit.errors import ClaimError

__all__ = ["calls", "judged_ids", "missing", "notebooks_of", "sections_of", "unexpected"]

_CALLS = ("judge", "cite")

# The document's title makes two statements of its own (section 0). Notebook 1.0 judges them.
_ADDITIONAL = {"1.0": ("0",)}


def notebooks_of(directory: Path) -> list[Path]:
    """The notebooks below a directory, without Jupyter's checkpoints."""
    paths = directory.rglob("*.ipynb")
    return sorted(path for path in paths if ".ipynb_checkpoints" not in path.parts)


def sections_of(notebook: Path) -> tuple[str, ...]:
    """The sections of the document that a notebook treats, from its name; empty if none.

    >>> sections_of(Path("notebooks/02-environment/2.2-kernel-and-system.ipynb"))
    ('2.2',)
    >>> sections_of(Path("notebooks/01-foundations/1.0-the-scene.ipynb"))
    ('1.0', '0')
    >>> sections_of(Path("notebooks/00-start-here.ipynb"))
    ()
    """
    number = re.match(r"\d+(\.\d+)?(?=-|\.ipynb$)", notebook.name)
    if not number or number[0] not in sections():
        return ()
    return (number[0], *_ADDITIONAL.get(number[0], ()))


def judged_ids(notebook: Path) -> set[str]:
    """The ids in the ``judge("id", ...)`` and ``cite("id", ...)`` calls of its code cells.

    Raises :class:`ClaimError` if a cell is not Python, or if an id is not a plain string. A
    reader must see which claim is meant without running the cell.
    """
    return {_id(call, where) for where, call in calls(notebook)}


def calls(notebook: Path) -> Iterator[tuple[str, ast.Call]]:
    """The calls of ``judge`` and ``cite`` in the code cells, each with its notebook and cell.

    Raises :class:`ClaimError` if the file is not a notebook or a cell is not Python.
    """
    for where, tree in _code(notebook):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node.func) in _CALLS:
                yield where, node


def missing(key: str, notebooks: Iterable[Path]) -> list[str]:
    """The ids of the claims of a section that none of its notebooks judges."""
    judged = set[str]().union(*map(judged_ids, notebooks))
    return [claim.id for claim in section(key) if claim.id not in judged]


def unexpected(notebook: Path) -> list[str]:
    """The ids a notebook must not judge: not in the table, or of another section."""
    own = sections_of(notebook)
    problems = []
    for claim_id in sorted(judged_ids(notebook)):
        if claim_id not in claims():
            problems.append(f"{claim_id} is not in the table")
        elif claims()[claim_id].key not in own:
            problems.append(f"{claim_id} belongs to section {claims()[claim_id].key}")
    return problems


def _code(notebook: Path) -> Iterator[tuple[str, ast.AST]]:
    """The code cells of a notebook as syntax trees, each with its notebook and cell number."""
    # Imported here: judging a claim needs neither of the two.
    import nbformat
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        cells = nbformat.read(notebook, as_version=4).cells  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ClaimError(f"{notebook} cannot be read", expected="a notebook") from error
    to_python = TransformerManager().transform_cell  # type: ignore[no-untyped-call]
    for number, cell in enumerate(cells, 1):
        if cell.cell_type != "code":
            continue
        where = f"{notebook.name}, cell {number}"
        try:
            # As IPython does: magics become function calls.
            yield where, ast.parse(to_python(cell.source))
        except SyntaxError as error:
            raise ClaimError(f"{where} is not Python: {error.msg}") from error


def _name(function: ast.expr) -> str:
    """The last part of the name a call is made by: ``judge`` in ``claims.judge(...)``."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _id(call: ast.Call, where: str) -> str:
    """The claim id in a call: its first argument, or ``claim_id=``."""
    keywords = [keyword.value for keyword in call.keywords if keyword.arg == "claim_id"]
    for argument in [*call.args[:1], *keywords]:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            return argument.value
    raise ClaimError(
        f"{where} judges {ast.unparse(call)[:60]}",
        expected='the id as a string: judge("c2.2-04", ...)',
    )
