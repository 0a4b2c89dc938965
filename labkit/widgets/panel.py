"""What all panels share: a box of controls, a line of answer, and a way to end."""

from __future__ import annotations

import asyncio
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from labkit.boards import Board
from labkit.display import StrRepr
from labkit.errors import LabError

__all__ = ["AS_TEXT", "Panel"]

AS_TEXT = "LABKIT_PANELS"
"""The variable that, set to ``text``, has panels show themselves as text: in batch runs."""

IDLE = 600.0
"""Seconds after which a panel that nobody touches stops looking at the board."""

_COLOURS = {"": "#333", "good": "#006a4e", "bad": "#a33b00"}


class Panel(StrRepr, ABC):
    """Controls over one board, shown by JupyterLab as widgets and everywhere else as a text.

    What a panel does, it does with objects of :mod:`labkit.tuning` and :mod:`labkit.bench`,
    which do the same without it. An error shows in the panel. :meth:`close` ends it.
    """

    title = ""
    every = 2.0
    """Seconds between two looks at the board, where the panel looks at all; more where a look
    takes long, so that it never is more than a tenth of the board's time."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.closed = False
        self._box: Any = None
        self._answer: Any = None
        self._watching: asyncio.Task[None] | None = None
        self._touched = time.monotonic()
        self.cost = 0.0
        """Seconds the last look at the board took, the link included."""

    @property
    def pause_between(self) -> float:
        """Seconds until the next look."""
        return max(self.every, 9 * self.cost)

    @abstractmethod
    def text(self) -> str:
        """What the panel shows, for places without widgets."""

    @abstractmethod
    def _controls(self) -> list[Any]:
        """The widgets from top to bottom, the answer's line among them."""

    def look(self) -> None:
        """Look at the board once and show what is seen. Does nothing where nothing moves."""

    def close(self) -> None:
        """Take the widgets away and stop looking at the board. Closing twice is harmless."""
        self.closed = True
        self.pause()
        if self._box is not None:
            _close(self._box)
            self._box = None

    @property
    def watching(self) -> bool:
        """Whether the panel looks at the board from time to time."""
        return self._watching is not None and not self._watching.done()

    def watch(self) -> None:
        """Look at the board again and again, between cells; needs a kernel's event loop."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # no notebook
        if not self.watching and not self.closed and type(self).look is not Panel.look:
            self._touched = time.monotonic()
            self._watching = loop.create_task(self._watch())

    def pause(self) -> None:
        """Stop looking at the board."""
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None

    async def _watch(self) -> None:
        while time.monotonic() - self._touched < IDLE:
            try:
                self.look()
            except LabError as error:
                self._say(f"{error}", "bad")
                return
            await asyncio.sleep(self.pause_between)
        self._say("Nobody has touched this for ten minutes: it no longer looks at the board.")

    def _say(self, what: str, kind: str = "") -> None:
        """Show an answer: plain, ``good`` or ``bad``."""
        if self._answer is not None:
            sign = {"good": "✓ ", "bad": "✗ "}.get(kind, "")
            self._answer.value = (
                f"<div role='status' style='color:{_COLOURS[kind]};line-height:1.5;"
                f"white-space:pre-wrap;max-width:62em'>{sign}{escape(what)}</div>"
            )

    @contextmanager
    def _answering(self, doing: str) -> Iterator[None]:
        """Say what is being done; where it goes wrong, say that, and go no further."""
        self._touched = time.monotonic()
        self._say(f"{doing} ...")
        try:
            yield
        except LabError as error:
            self._say(f"{error}", "bad")
        except Exception as error:  # a panel has no traceback: say what it would
            self._say(f"{type(error).__name__}: {error}", "bad")

    def _show(self) -> Any:
        import ipywidgets as widgets

        if self._box is None:
            head = f"<b>{escape(self.title)}</b> &nbsp;{escape(self.board.name)}"
            self._answer = widgets.HTML()
            layout = widgets.Layout(
                border="1px solid #bbb", padding="6px 12px 10px", max_width="900px"
            )
            rows = [widgets.HTML(head), *self._controls()]
            self._box = widgets.VBox(rows, layout=layout)
            self._box.add_class("labkit-panel")
            self.watch()
        return self._box

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        if os.environ.get(AS_TEXT) == "text" or self.closed:
            return {"text/plain": self.text()}
        bundle = self._show()._repr_mimebundle_()
        return {**bundle, "text/plain": self.text()}

    def __str__(self) -> str:
        return self.text()


def _close(widget: Any) -> None:
    """Close a widget with all that is in it."""
    for child in getattr(widget, "children", ()):
        _close(child)
    widget.close()


def button(text: str, does: Any, *, style: str = "", tip: str = "") -> Any:
    """A button that calls ``does`` without arguments."""
    import ipywidgets as widgets

    made = widgets.Button(description=text, button_style=style, tooltip=tip)
    made.layout.width = "auto"
    made.on_click(lambda _: does())
    return made
