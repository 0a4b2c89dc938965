"""The results of a run on disk: one schema, written by :func:`write`, read by :func:`read`.

The directory of a run, ``results/PLATFORM``, holds:

=========================== ==================================================================
``summary.json``            the run, and a row for each notebook
``summary.csv``             the same as a table, for spreadsheets and data frames
``summary.md``              the same as a page for people
``NOTEBOOK.ipynb``          the executed notebook
``NOTEBOOK.verdicts.jsonl`` its verdicts (see :mod:`labkit.claims.ledger`)
=========================== ==================================================================

``summary.json``, ``summary.csv`` and each verdict carry the schema number. A directory without
``summary.json`` and without numbers was written by an older labkit; it counts as schema 0.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from labkit.claims import Verdict, read_verdicts
from labkit.claims.ledger import SCHEMA, schema_hint
from labkit.claims.verdict import OUTCOMES
from labkit.errors import GuideError
from labkit.files import write_atomic
from labkit.guide.summary import Row, Status, Summary

__all__ = ["SCHEMA", "Results", "notebook_path", "read", "verdicts_path", "write", "write_file"]


@dataclass(frozen=True)
class Results:
    """What a run left behind: its summary, and its verdicts by notebook name.

    ``schema`` is the number the summary was written with.
    """

    summary: Summary
    verdicts: Mapping[str, list[Verdict]]
    schema: int


class _Context(msgspec.Struct, kw_only=True):
    """The fields of a run. A later field needs a default; unknown fields are ignored."""

    platform: str
    board: str
    emulated: bool
    kernel: str
    version: str
    when: str
    schema: int = 0


class _Document(_Context, kw_only=True):
    """The fields of ``summary.json``."""

    rows: list[Row]


class _Line(_Context, kw_only=True, rename={"not_testable_here": "not testable here"}):
    """The columns of ``summary.csv``: those of a row, its verdicts by outcome, and the context."""

    notebook: str
    outcome: Status
    cells: int
    seconds: float
    message: str
    holds: int = 0
    fails: int = 0
    partly: int = 0
    not_testable_here: int = 0


_CONTEXT = ("platform", "board", "emulated", "kernel", "version", "when")


def notebook_path(directory: Path, name: str) -> Path:
    """Where the executed notebook of that name is.

    >>> notebook_path(Path("results/debian-12"), "01-foundations/1.0-the-scene").name
    '1.0-the-scene.ipynb'
    """
    return directory / f"{name}.ipynb"


def verdicts_path(directory: Path, name: str) -> Path:
    """Where the verdicts of the notebook of that name are."""
    return directory / f"{name}.verdicts.jsonl"


def write(summary: Summary) -> None:
    """Write ``summary.json``, ``.csv`` and ``.md`` to ``summary.directory``.

    Raises :class:`GuideError`.
    """
    write_file(summary.directory / "summary.json", _json(summary))
    write_file(summary.directory / "summary.csv", _csv(summary))
    write_file(summary.directory / "summary.md", _markdown(summary))


def read(directory: str | Path) -> Results:
    """Read the directory of one run, such as ``results/debian-12``.

    Fields that this labkit does not know are ignored, so a newer schema is read as far as it is
    known. Raises :class:`GuideError` or :class:`ClaimError` if there is no summary, or if a file
    is damaged: then with its path, and the line or the path of the wrong value in it.

    >>> read("results/debian-12").summary.totals                        # doctest: +SKIP
    '13 passed in 1490 s'
    """
    base = Path(directory)
    if (base / "summary.json").exists():
        document = _read_json(base / "summary.json")
    elif (base / "summary.csv").exists():
        document = _read_csv(base / "summary.csv")
    else:
        runs = sorted(str(path.parent) for path in base.glob("*/summary.csv"))
        raise GuideError(
            f"there is no summary in {base}",
            expected=" or ".join(runs) or "a directory that labkit run wrote",
        )
    context = {name: getattr(document, name) for name in _CONTEXT}
    summary = Summary(**context, directory=base, rows=document.rows)
    verdicts = {row.notebook: _verdicts(base, row) for row in document.rows}
    return Results(summary, verdicts, document.schema)


def write_file(path: Path, text: str) -> None:
    """Write a file of a run in one step. Raises :class:`GuideError`."""
    try:
        write_atomic(path, text)
    except OSError as error:
        raise GuideError(
            f"{path} cannot be written: {error.strerror}",
            expected="a writable directory for results",
            hint="name another with --results DIRECTORY",
        ) from error


def _verdicts(directory: Path, row: Row) -> list[Verdict]:
    """The verdicts of one notebook. A skipped one may have a file of an earlier run."""
    path = verdicts_path(directory, row.notebook)
    return read_verdicts(path) if row.outcome != "skipped" and path.exists() else []


def _json(summary: Summary) -> str:
    context = {name: getattr(summary, name) for name in _CONTEXT}
    fields = {"schema": SCHEMA, **context, "rows": [asdict(row) for row in summary.rows]}
    return json.dumps(fields, indent=1, ensure_ascii=False) + "\n"


def _read_json(path: Path) -> _Document:
    fields: object = None
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(fields, _Document)
    except json.JSONDecodeError as error:
        raise _damaged(f"{path}:{error.lineno}", error.msg) from error
    except msgspec.ValidationError as error:
        raise _damaged(str(path), str(error), schema_hint(fields)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(str(path), str(error)) from error


def _csv(summary: Summary) -> str:
    """A line for each notebook. Each repeats the context, so that files can be concatenated."""
    text = io.StringIO()
    context = {name: getattr(summary, name) for name in _CONTEXT}
    columns = ["notebook", "outcome", "cells", "seconds", *OUTCOMES, "message", *context, "schema"]
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    for row in summary.rows:
        fields = {**asdict(row), "seconds": f"{row.seconds:.1f}"}
        counts = {str(outcome): row.verdicts.get(outcome, 0) for outcome in OUTCOMES}
        del fields["verdicts"]
        table.writerow({**fields, **counts, **context, "schema": SCHEMA})
    return text.getvalue()


def _read_csv(path: Path) -> _Document:
    where = str(path)
    lines = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for fields in (reader := csv.DictReader(file)):
                where = f"{path}:{reader.line_num}"
                # Not strict: numbers and booleans are text here.
                lines.append(msgspec.convert(fields, _Line, strict=False))
    except (OSError, UnicodeDecodeError, csv.Error, msgspec.ValidationError) as error:
        raise _damaged(where, str(error)) from error
    if not lines:
        raise _damaged(where, "no rows")
    context = {name: getattr(lines[0], name) for name in (*_CONTEXT, "schema")}
    return _Document(**context, rows=[_row(line) for line in lines])


def _row(line: _Line) -> Row:
    counts = {outcome: getattr(line, outcome.replace(" ", "_")) for outcome in OUTCOMES}
    verdicts = {str(outcome): count for outcome, count in counts.items() if count}
    return Row(line.notebook, line.outcome, line.cells, line.seconds, verdicts, line.message)


def _damaged(where: str, reason: str, hint: str = "") -> GuideError:
    return GuideError(
        f"{where} is not a summary of a run: {reason}",
        expected=f"a file written by labkit run, schema {SCHEMA} or older",
        hint=hint,
    )


def _markdown(summary: Summary) -> str:
    verdicts = summary.verdict_summary
    lines = [
        *(f"# Run on {summary.platform}", "", summary.context, "", summary.totals, ""),
        *([verdicts, ""] if verdicts else []),
        "| notebook | outcome | cells | seconds | verdicts | message |",
        "|---|---|--:|--:|---|---|",
    ]
    for row in summary.rows:
        texts = (row.status, str(row.cells), f"{row.seconds:.1f}", row.verdict_summary, row.message)
        name, *rest = (text.replace("|", "\\|") for text in (row.notebook, *texts))
        if notebook_path(summary.directory, row.notebook).exists():
            name = f"[{name}](<{row.notebook}.ipynb>)"
        lines.append(f"| {' | '.join([name, *rest])} |")
    return "\n".join(lines) + "\n"
