"""The governor panel: governor and limits of the processor clocks, and the clocks over time."""

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

HISTORY = 60
"""The number of polls that the chart shows."""


class GovernorPanel(Panel):
    """Governor and limits of a board's cpufreq policies, with the values that the board offers.

    :meth:`apply` changes them; further changes come on top. :meth:`undo` undoes the last change,
    :meth:`close` all of them.

    >>> GovernorPanel(open_board("raspberry-pi-5"))          # doctest: +SKIP
    """

    title = "Governor"

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self.changes: list[Change] = []
        self.policies: list[Policy] = []
        self.unavailable = ""
        """Why there are no controls, on a board without policies."""
        try:
            self.policies = cpufreq.require_policies(board)
        except TuningError as error:
            self.unavailable = str(error)
        self.module_governors = cpufreq.module_governors(board) if self.policies else []
        self.samples: list[tuple[float, int, int]] = []
        """Seconds (monotonic), processor and kHz of the last polls."""

    # -- its work, without widgets ----------------------------------------------------------

    def apply(self, policy: str, governor: str, min_khz: int, max_khz: int) -> str:
        """Apply these settings to a policy where they differ; return what the board reads back."""
        current = self._policy(policy)
        changes: list[Change] = []
        if governor != current.governor:
            changes.append(Governor(self.board, governor, policy=policy, load_modules=True))
        if (min_khz, max_khz) != (current.min_khz, current.max_khz):
            changes.append(Limits(self.board, policy=policy, min_khz=min_khz, max_khz=max_khz))
        if not changes:
            return "no change: these settings are active already"
        change = changes[0] if len(changes) == 1 else changes[0] + changes[1]
        change.apply()
        self.changes.append(change)
        return f"{self.board.name}, {policy}: {_settings_text(self._policy(policy))}"

    def undo(self) -> str:
        """Undo the last change of this panel; return what was undone."""
        if not self.changes:
            return "nothing to undo: this panel has made no change"
        change = self.changes[-1]
        change.undo()
        self.changes.pop()
        return f"undone: {change.describe()}"

    def close(self) -> None:
        """Undo all changes of this panel, remove its widgets and stop polling."""
        while self.changes:
            self.undo()
        super().close()

    def text(self) -> str:
        """See :meth:`Panel.text`."""
        if not self.policies:
            return f"{self.title} panel: {self.unavailable}"
        return f"{self.title} panel of {self.board.name}\n" + "\n".join(
            f"{policy.name}: processors {', '.join(map(str, policy.cpus))}; "
            f"{_settings_text(policy)}; governors {', '.join(policy.governors)}"
            for policy in self.policies
        )

    def poll(self) -> None:
        """Read the clocks of all processors once and draw them."""
        start = time.monotonic()
        khz_by_cpu = cpufreq.current_khz(self.board)
        self.poll_seconds = time.monotonic() - start
        self.samples += [(start, cpu, khz) for cpu, khz in khz_by_cpu.items()]
        self.samples = self.samples[-HISTORY * max(len(khz_by_cpu), 1) :]
        self._draw()

    # -- the widgets ------------------------------------------------------------------------

    def _controls(self) -> list[Any]:
        import ipywidgets as widgets

        if not self.policies:
            return [widgets.HTML(self.unavailable)]
        self._chart = widgets.HTML()
        self._poll_note = widgets.HTML()
        selection = self._selection()
        self._refresh()
        return [*selection, self._buttons(), self._status, self._chart, self._poll_note]

    def _selection(self) -> list[Any]:
        import ipywidgets as widgets

        wide = widgets.Layout(width="320px")
        self._policy_menu = widgets.Dropdown(
            options=[(f"{p.name} (processors {_cpus_text(p)})", p.name) for p in self.policies],
            description="policy",
            layout=wide,
        )
        self._policy_menu.observe(lambda _: self._refresh(), "value")
        self._governor_menu = widgets.Dropdown(description="governor", layout=wide)
        self._limits_slider = widgets.SelectionRangeSlider(
            options=[("", 0)], description="limits", layout=widgets.Layout(width="500px")
        )
        return [widgets.HBox([self._policy_menu, self._governor_menu]), self._limits_slider]

    def _buttons(self) -> Any:
        import ipywidgets as widgets

        every = f"every {self.interval:g} seconds"
        return widgets.HBox(
            [
                button("Apply", self._apply, style="primary", tooltip="Apply these settings"),
                button("Undo", self._undo, tooltip="Undo the last change"),
                button("Watch", self.start_polling, tooltip=f"Read the clocks {every}"),
                button("Pause", self.stop_polling, tooltip="Stop reading the clocks"),
                button("Close", self._close, tooltip="Undo all changes and remove this panel"),
            ]
        )

    def _refresh(self) -> None:
        """Set the controls to the settings that are active on the board."""
        policy = self._policy(self._policy_menu.value)
        loadable = [name for name in self.module_governors if name not in policy.governors]
        self._governor_menu.options = [
            *((name, name) for name in policy.governors),
            *((f"{name} (loads a module)", name) for name in loadable),
        ]
        self._governor_menu.value = policy.governor
        steps = sorted({*policy.available_khz, policy.min_khz, policy.max_khz})
        self._limits_slider.options = [(f"{khz // 1000} MHz", khz) for khz in steps]
        self._limits_slider.value = (policy.min_khz, policy.max_khz)

    def _apply(self) -> None:
        with self._reporting("applying the settings"):
            policy, governor = self._policy_menu.value, self._governor_menu.value
            self._report(self.apply(policy, governor, *self._limits_slider.value), "good")
        self._try_refresh()

    def _undo(self) -> None:
        with self._reporting("undoing the last change"):
            self._report(self.undo(), "good")
        self._try_refresh()

    def _close(self) -> None:
        with self._reporting("undoing all changes"):
            self.close()

    def _try_refresh(self) -> None:
        # Where the board does not answer, the status line shows the error of the click already.
        try:
            self._refresh()
        except Exception:
            return

    def _draw(self) -> None:
        import pandas as pd

        if self._box is None or not self.samples:
            return
        frame = pd.DataFrame(self.samples, columns=["seconds", "cpu", "khz"])
        frame["seconds"] -= frame["seconds"].min()
        frame["label"] = [f"processor {cpu}" for cpu in frame["cpu"]]
        if frame["seconds"].max() > 0:
            plot = clocks(frame, emulated=self.board.emulated, khz_range=self._khz_range)
            self._chart.value = plot._repr_html_()
        self._poll_note.value = (
            "<span style='color:#666;font-size:85%'>The clocks are read every "
            f"{self.poll_delay:.0f} s. This takes {self.poll_seconds * 1000:.0f} ms: one shell "
            "command, which starts no other process on the board.</span>"
        )

    @property
    def _khz_range(self) -> tuple[int, int]:
        lows = (policy.hardware_min_khz for policy in self.policies)
        return min(lows), max(policy.hardware_max_khz for policy in self.policies)

    def _policy(self, name: str) -> Policy:
        return cpufreq.require_policies(self.board, name)[0]


def _settings_text(policy: Policy) -> str:
    low, high = policy.min_khz // 1000, policy.max_khz // 1000
    return f"governor {policy.governor}, {low} to {high} MHz"


def _cpus_text(policy: Policy) -> str:
    first, last = policy.cpus[0], policy.cpus[-1]
    return str(first) if first == last else f"{first} to {last}"
