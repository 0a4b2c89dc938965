"""How labkit's objects are displayed: as text at a prompt, as an HTML table in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

__all__ = ["EMULATED_NOTE", "Html", "StrRepr", "html_table"]

EMULATED_NOTE = "emulated: shape, not speed"
"""The mark of everything that was measured on an emulated board: its durations mean nothing."""

_CELL_STYLE = "style='text-align:left'"


class StrRepr:
    """For classes whose ``str()`` is also what a person wants to read at a prompt.

    A dataclass needs ``@dataclass(repr=False)``, or its own repr would replace this one.

    >>> class Greeting(StrRepr):
    ...     def __str__(self) -> str:
    ...         return "hello"
    >>> Greeting()
    hello
    """

    def __repr__(self) -> str:
        return str(self)


class Html(str):
    """A text that is HTML already: :func:`html_table` does not escape it."""

    __slots__ = ()


def html_table(
    rows: Mapping[str, object] | Iterable[Sequence[object]],
    *,
    caption: str = "",
    header: Sequence[str] = (),
) -> str:
    """An HTML table; everything but :class:`Html` is escaped.

    A mapping gives two columns, the keys as row headers, and a bold caption. Otherwise each row
    is a sequence of cells below ``header``.

    >>> html_table({"size": "<2 MB"}, caption="app")
    "<table><caption><b>app</b></caption>\
<tr><th style='text-align:left'>size</th><td style='text-align:left'>&lt;2 MB</td></tr></table>"
    """
    if isinstance(rows, Mapping):
        body = "".join(_row([_head(key), _cell(value)]) for key, value in rows.items())
        return f"<table>{_caption(f'<b>{_escaped(caption)}</b>' if caption else '')}{body}</table>"
    body = "".join(_row(map(_cell, row)) for row in rows)
    titles = _row(_head(title, " scope='col'") for title in header)
    head = f"<thead>{titles}</thead>" if header else ""
    return f"<table>{_caption(_escaped(caption))}{head}<tbody>{body}</tbody></table>"


def _caption(content: str) -> str:
    return f"<caption>{content}</caption>" if content else ""


def _row(cells: Iterable[str]) -> str:
    return f"<tr>{''.join(cells)}</tr>"


def _head(value: object, scope: str = "") -> str:
    return f"<th{scope} {_CELL_STYLE}>{_escaped(value)}</th>"


def _cell(value: object) -> str:
    return f"<td {_CELL_STYLE}>{_escaped(value)}</td>"


def _escaped(value: object) -> str:
    return value if isinstance(value, Html) else escape(str(value))
