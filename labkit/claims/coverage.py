"""Holding the claims table and the notebooks against each other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from labkit.claims.table import claims, section, sections
from labkit.errors import ClaimError

__all__ = ["judged_ids", "missing", "notebooks_of", "sections_of", "unexpected"]

_CALLS = ("judge", "cite")

# The document's title makes two statements of its own; they are treated where it begins.
_BESIDES = {"1.0": ("0",)}


def notebooks_of(directory: Path) -> list[Path]:
    """The notebooks under a folder, without the copies Jupyter keeps of them."""
    found = directory.rglob("*.ipynb")
    return sorted(path for path in found if ".ipynb_checkpoints" not in path.parts)


def sections_of(notebook: Path) -> tuple[str, ...]:
    """The sections a notebook treats, from its name; empty where it treats none.

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
    return (number[0], *_BESIDES.get(number[0], ()))


def judged_ids(notebook: Path) -> set[str]:
    """The ids in the ``judge("id", ...)`` and ``cite("id", ...)`` calls of its code cells.

    Raises :class:`ClaimError` where a cell is not Python, or an id is not a plain string:
    then nobody, a reader included, can see which claim is meant without running it.
    """
    return {_id(call, where) for where, tree in _code(notebook) for call in _calls(tree)}


def missing(key: str, notebooks: Iterable[Path]) -> list[str]:
    """The claims of a section that none of its notebooks puts to the test."""
    judged = set[str]().union(*map(judged_ids, notebooks))
    return [claim.id for claim in section(key) if claim.id not in judged]


def unexpected(notebook: Path) -> list[str]:
    """What a notebook judges and should not: ids not in the table, or of another section."""
    own = sections_of(notebook)
    found = []
    for claim_id in sorted(judged_ids(notebook)):
        if claim_id not in claims():
            found.append(f"{claim_id} is not in the table")
        elif claims()[claim_id].key not in own:
            found.append(f"{claim_id} belongs to section {claims()[claim_id].key}")
    return found


def _code(notebook: Path) -> Iterator[tuple[str, ast.AST]]:
    """The code cells of a notebook as syntax trees, each with where it stands."""
    # Here, not above: whoever only judges claims needs neither of the two.
    import nbformat
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        cells = nbformat.read(notebook, as_version=4).cells  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as wrong:
        raise ClaimError(f"{notebook} cannot be read", expected="a notebook") from wrong
    plain = TransformerManager().transform_cell  # type: ignore[no-untyped-call]
    for number, cell in enumerate(cells, 1):
        if cell.cell_type != "code":
            continue
        where = f"{notebook.name}, cell {number}"
        try:
            # IPython's own first step makes plain calls of magics.
            yield where, ast.parse(plain(cell.source))
        except SyntaxError as wrong:
            raise ClaimError(f"{where} is not Python: {wrong.msg}") from wrong


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in _CALLS:
                yield node


def _id(call: ast.Call, where: str) -> str:
    """The claim id a call is given, first or as ``claim_id=``."""
    named = [word.value for word in call.keywords if word.arg == "claim_id"]
    for given in [*call.args[:1], *named]:
        if isinstance(given, ast.Constant) and isinstance(given.value, str):
            return given.value
    raise ClaimError(
        f"{where} judges {ast.unparse(call)[:60]}",
        expected='the id as a string: judge("c2.2-04", ...)',
    )
