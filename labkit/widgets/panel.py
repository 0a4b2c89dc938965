"""What all panels share: a box of controls, a status line, and polling of the board."""

from __future__ import annotations

import asyncio
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from labkit.boards import Board
from labkit.display import StrRepr
from labkit.errors import LabError

__all__ = ["AS_TEXT", "Panel", "button"]

AS_TEXT = "LABKIT_PANELS"
"""The environment variable that makes panels show themselves as text: ``text`` in batch runs."""

IDLE_TIMEOUT = 600.0
"""Seconds without a click after which a panel stops polling the board."""

_COLOURS = {"": "#333", "good": "#006a4e", "bad": "#a33b00"}
_SIGNS = {"": "", "good": "✓ ", "bad": "✗ "}


class Panel(StrRepr, ABC):
    """Controls over one board: widgets in JupyterLab, and text everywhere else.

    A panel does its work with objects of :mod:`labkit.tuning` and :mod:`labkit.bench`. They do
    the same without a panel. An error is shown in the panel's status line. :meth:`close` ends
    the panel.
    """

    title = ""
    interval = 2.0
    """Seconds between two polls. It becomes longer where a poll takes long: a panel uses at most
    a tenth of the time."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.closed = False
        self.poll_seconds = 0.0
        """Seconds that the last poll took, from request to answer."""
        self._box: Any = None
        self._status: Any = None
        self._poll_task: asyncio.Task[None] | None = None
        self._last_input = time.monotonic()

    @property
    def poll_delay(self) -> float:
        """Seconds until the next poll."""
        return max(self.interval, 9 * self.poll_seconds)

    @abstractmethod
    def text(self) -> str:
        """What the panel shows where there are no widgets."""

    @abstractmethod
    def _controls(self) -> list[Any]:
        """The widgets from top to bottom, ``self._status`` among them."""

    def poll(self) -> None:
        """Read the board's state once and show it. Does nothing in panels without such a state."""

    def close(self) -> None:
        """Remove the widgets and stop polling. Closing a panel twice is no error."""
        self.closed = True
        self.stop_polling()
        if self._box is not None:
            _close(self._box)
            self._box = None

    @property
    def polling(self) -> bool:
        """Whether the panel polls the board at present."""
        return self._poll_task is not None and not self._poll_task.done()

    def start_polling(self) -> None:
        """Poll the board regularly, between cells. Does nothing without a kernel's event loop."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if not self.polling and not self.closed and type(self).poll is not Panel.poll:
            self._last_input = time.monotonic()
            self._poll_task = loop.create_task(self._poll_regularly())

    def stop_polling(self) -> None:
        """Stop polling the board."""
        if self._poll_task is not None:
            self._poll_task.cancel()
            self._poll_task = None

    async def _poll_regularly(self) -> None:
        while time.monotonic() - self._last_input < IDLE_TIMEOUT:
            try:
                self.poll()
            except LabError as error:
                self._report(str(error), "bad")
                return
            await asyncio.sleep(self.poll_delay)
        self._report("Nobody has used this panel for ten minutes. It no longer polls the board.")

    def _report(self, message: str, kind: str = "") -> None:
        """Show a message in the status line; ``kind`` is ``good``, ``bad`` or nothing."""
        if self._status is not None:
            self._status.value = (
                f"<div role='status' style='color:{_COLOURS[kind]};line-height:1.5;"
                f"white-space:pre-wrap;max-width:62em'>{_SIGNS[kind]}{escape(message)}</div>"
            )

    @contextmanager
    def _reporting(self, activity: str) -> Iterator[None]:
        """Show the activity in the status line, and the error where it fails."""
        self._last_input = time.monotonic()
        self._report(f"{activity} ...")
        try:
            yield
        except LabError as error:
            self._report(str(error), "bad")
        except Exception as error:  # the reader of a panel sees no traceback
            self._report(f"{type(error).__name__}: {error}", "bad")

    def _build(self) -> Any:
        import ipywidgets as widgets

        if self._box is None:
            heading = f"<b>{escape(self.title)}</b> &nbsp;{escape(self.board.name)}"
            self._status = widgets.HTML()
            layout = widgets.Layout(
                border="1px solid #bbb", padding="6px 12px 10px", max_width="900px"
            )
            rows = [widgets.HTML(heading), *self._controls()]
            self._box = widgets.VBox(rows, layout=layout)
            self._box.add_class("labkit-panel")
            self.start_polling()
        return self._box

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        if os.environ.get(AS_TEXT) == "text" or self.closed:
            return {"text/plain": self.text()}
        bundle = self._build()._repr_mimebundle_()
        return {**bundle, "text/plain": self.text()}

    def __str__(self) -> str:
        return self.text()


def _close(widget: Any) -> None:
    """Close a widget and all widgets inside it."""
    for child in getattr(widget, "children", ()):
        _close(child)
    widget.close()


def button(
    description: str, on_click: Callable[[], None], *, style: str = "", tooltip: str = ""
) -> Any:
    """Create a button that calls ``on_click`` without arguments."""
    import ipywidgets as widgets

    widget = widgets.Button(description=description, button_style=style, tooltip=tooltip)
    widget.layout.width = "auto"
    widget.on_click(lambda _: on_click())
    return widget
