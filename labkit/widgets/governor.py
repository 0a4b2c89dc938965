"""The governor panel: who decides on the clocks, within which limits, and the clocks themselves."""

from __future__ import annotations

import time
from typing import Any

from labkit.boards import Board
from labkit.errors import TuningError
from labkit.plots import clocks
from labkit.tuning import cpufreq
from labkit.tuning.change import Change
from labkit.tuning.clocks import Governor, Limits
from labkit.tuning.cpufreq import Policy
from labkit.widgets.panel import Panel, button

__all__ = ["GovernorPanel"]

KEPT = 60
"""Looks that the chart shows."""


class GovernorPanel(Panel):
    """Governor and limits of a board's policies, from the values the board itself offers.

    ``apply`` makes the change, each one on top of the one before; ``undo`` takes the last one
    back, ``close`` all of them.

    >>> GovernorPanel(open_board("raspberry-pi-5"))          # doctest: +SKIP
    """

    title = "Governor"

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self.changes: list[Change] = []
        self.policies: list[Policy] = []
        self.missing = ""
        """What the board lacks, where it has no clocks to govern."""
        try:
            self.policies = cpufreq.require(board)
        except TuningError as missing:
            self.missing = str(missing)
        self.module_governors = cpufreq.module_governors(board) if self.policies else []
        self.seen: list[tuple[float, int, int]] = []

    # -- what it does, without widgets ------------------------------------------------------

    def apply(self, policy: str, governor: str, min_khz: int, max_khz: int) -> str:
        """Make the change that differs from what is in force; give the board's answer."""
        now = self._policy(policy)
        wanted: list[Change] = []
        if governor != now.governor:
            wanted.append(Governor(self.board, governor, policy=policy, load_modules=True))
        if (min_khz, max_khz) != (now.min_khz, now.max_khz):
            wanted.append(Limits(self.board, policy=policy, min_khz=min_khz, max_khz=max_khz))
        if not wanted:
            return "that is in force already"
        change = wanted[0] if len(wanted) == 1 else wanted[0] + wanted[1]
        change.apply()
        self.changes.append(change)
        return f"{self.board.name} says: {self._state(policy)}"

    def undo(self) -> str:
        """Take the last change back; give the board's answer."""
        if not self.changes:
            return "nothing of this panel's is to be undone"
        change = self.changes[-1]
        change.undo()
        self.changes.pop()
        return f"undone: {change.describe()}"

    def close(self) -> None:
        """See :meth:`Panel.close`; first all changes are taken back."""
        while self.changes:
            self.undo()
        super().close()

    def text(self) -> str:
        """See :meth:`Panel.text`."""
        if not self.policies:
            return f"{self.title} panel: {self.missing}"
        return f"{self.title} panel of {self.board.name}\n" + "\n".join(
            f"{each.name}: processors {', '.join(map(str, each.cpus))}; {_told(each)}; "
            f"governors {', '.join(each.governors)}"
            for each in self.policies
        )

    def look(self) -> None:
        """See :meth:`Panel.look`."""
        began = time.monotonic()
        now = cpufreq.current(self.board)
        self.cost = time.monotonic() - began
        self.seen += [(began, cpu, khz) for cpu, khz in now.items()]
        self.seen = self.seen[-KEPT * max(len(now), 1) :]
        self._draw()

    # -- the widgets ------------------------------------------------------------------------

    def _controls(self) -> list[Any]:
        import ipywidgets as widgets

        if not self.policies:
            return [widgets.HTML(self.missing)]
        wide = widgets.Layout(width="320px")
        self._choice = widgets.Dropdown(
            options=[(f"{p.name} (processors {_span(p)})", p.name) for p in self.policies],
            description="policy",
            layout=wide,
        )
        self._governor = widgets.Dropdown(description="governor", layout=wide)
        self._limits = widgets.SelectionRangeSlider(
            options=[("", 0)], description="limits", layout=widgets.Layout(width="500px")
        )
        self._chart = widgets.HTML()
        self._price = widgets.HTML()
        self._choice.observe(lambda _: self._fill(), "value")
        self._fill()
        buttons = [
            button("Apply", self._apply, style="primary", tip="Have the board take this"),
            button("Undo", self._undo, tip="Take the last change back"),
            button("Watch", self.watch, tip="Look at the clocks every two seconds"),
            button("Pause", self.pause, tip="Stop looking at the board"),
            button("Close", self._close, tip="Undo all, and end this panel"),
        ]
        return [
            widgets.HBox([self._choice, self._governor]),
            self._limits,
            widgets.HBox(buttons),
            self._answer,
            self._chart,
            self._price,
        ]

    def _fill(self) -> None:
        """Set the controls to what the board has."""
        now = self._policy(self._choice.value)
        more = [name for name in self.module_governors if name not in now.governors]
        options = [(name, name) for name in now.governors]
        self._governor.options = options + [(f"{name} (loads a module)", name) for name in more]
        self._governor.value = now.governor
        points = sorted({*now.available_khz, now.min_khz, now.max_khz})
        self._limits.options = [(f"{khz // 1000} MHz", khz) for khz in points]
        self._limits.value = (now.min_khz, now.max_khz)

    def _apply(self) -> None:
        with self._answering("asking the board"):
            low, high = self._limits.value
            self._say(self.apply(self._choice.value, self._governor.value, low, high), "good")
        self._fill_quietly()

    def _undo(self) -> None:
        with self._answering("putting it back"):
            self._say(self.undo(), "good")
        self._fill_quietly()

    def _close(self) -> None:
        with self._answering("putting all back"):
            self.close()

    def _fill_quietly(self) -> None:
        # Where the board does not answer, the error of before stands there already.
        try:
            self._fill()
        except Exception:
            return

    def _draw(self) -> None:
        import pandas as pd

        if self._box is None or not self.seen:
            return
        frame = pd.DataFrame(self.seen, columns=["seconds", "cpu", "khz"])
        frame["seconds"] -= frame["seconds"].min()
        frame["label"] = [f"processor {cpu}" for cpu in frame["cpu"]]
        if frame["seconds"].max() > 0:
            self._chart.value = clocks(
                frame, emulated=self.board.emulated, span=self._span
            )._repr_html_()
        self._price.value = (
            f"<span style='color:#666;font-size:85%'>One look takes {self.cost * 1000:.0f} ms, "
            f"one command and no new process on the board; there is one every "
            f"{self.pause_between:.0f} s.</span>"
        )

    @property
    def _span(self) -> tuple[int, int]:
        lows = (each.hardware_min_khz for each in self.policies)
        return min(lows), max(each.hardware_max_khz for each in self.policies)

    def _policy(self, name: str) -> Policy:
        return cpufreq.require(self.board, name)[0]

    def _state(self, name: str) -> str:
        return f"{name}: {_told(self._policy(name))}"


def _told(policy: Policy) -> str:
    low, high = policy.min_khz // 1000, policy.max_khz // 1000
    return f"governor {policy.governor}, {low} to {high} MHz"


def _span(policy: Policy) -> str:
    first, last = policy.cpus[0], policy.cpus[-1]
    return str(first) if first == last else f"{first} to {last}"
