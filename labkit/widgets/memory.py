"""Panels that run the allocation program: under settings of Go, or of systemd."""

from __future__ import annotations

from html import escape
from typing import Any

from labkit.bench.memory import Allocation, allocate
from labkit.boards import Board
from labkit.plots import memory
from labkit.tuning.gosettings import GoSettings
from labkit.tuning.units import Unit
from labkit.widgets.panel import Panel, button

__all__ = ["MemoryPanel", "UnitPanel"]


class _RunsPanel(Panel):
    """A panel whose button runs the program and adds the run to a plot."""

    def __init__(self, board: Board, *, hold: int, waste: int, seconds: float) -> None:
        super().__init__(board)
        self.hold, self.waste, self.seconds = hold, waste, seconds
        self.runs: list[Allocation] = []

    def add(self, run: Allocation) -> str:
        """Add a run to those the plot shows; give what became of it."""
        self.runs.append(run)
        return str(run)

    def picture(self) -> Any:
        """The plot of all runs: what Go had of the system, a line a run. None before the first."""
        import pandas as pd

        named = {f"{number}. {run.label}": run for number, run in enumerate(self.runs, start=1)}
        frames = [
            run.heap.assign(label=label, mib=run.heap["system_mib"])
            for label, run in named.items()
            if len(run.heap)
        ]
        if not frames:
            return None
        killed = {label for label, run in named.items() if run.run.result != "success"}
        return memory(pd.concat(frames), emulated=self.board.emulated, killed=killed)

    def text(self) -> str:
        """See :meth:`Panel.text`."""
        head = f"{self.title} panel of {self.board.name}: holds {self.hold} MiB, throws away "
        return "\n".join([f"{head}{self.waste} MiB", *map(str, self.runs)])

    def _sizes(self) -> list[Any]:
        import ipywidgets as widgets

        self._hold = self._slider("hold", self.hold, 256, "MiB the program keeps")
        self._waste = self._slider("throw away", self.waste, 1024, "MiB it makes and forgets")
        self._chart = widgets.HTML()
        return [widgets.HBox([self._hold, self._waste])]

    def _slider(self, name: str, value: int, most: int, tip: str) -> Any:
        import ipywidgets as widgets

        made = widgets.IntSlider(
            value=value, min=0, max=most, step=8, description=name, continuous_update=False
        )
        made.tooltip = tip
        made.layout.width = "380px"
        made.style.description_width = "90px"
        return made

    def _buttons(self) -> Any:
        import ipywidgets as widgets

        return widgets.HBox(
            [
                button("Run", self._run, style="primary", tip="Run the program on the board"),
                button("Clear", self._clear, tip="Forget the runs"),
                button("Close", self.close, tip="End this panel"),
            ]
        )

    def _run(self) -> None:
        with self._answering(f"running on {self.board.name}, at most {self.seconds:g} s"):
            self.hold, self.waste = self._hold.value, self._waste.value
            told = self.add(self._allocate())
            self._say(told, "good" if self.runs[-1].run.result == "success" else "bad")
            self._draw()

    def _clear(self) -> None:
        self.runs.clear()
        self._chart.value = ""
        self._say("")

    def _draw(self) -> None:
        picture = self.picture()
        self._chart.value = picture._repr_html_() if picture else ""

    def _allocate(self) -> Allocation:
        raise NotImplementedError


class MemoryPanel(_RunsPanel):
    """GOGC and GOMEMLIMIT: run the allocation program under them and compare.

    >>> MemoryPanel(open_board("debian-12"))                 # doctest: +SKIP
    """

    title = "Memory of Go"

    def __init__(self, board: Board, *, hold: int = 32, waste: int = 256) -> None:
        super().__init__(board, hold=hold, waste=waste, seconds=30.0)

    def run(self, settings: GoSettings) -> str:
        """Run the program under these settings and add the run; give what became of it."""
        return self.add(self._with(settings))

    def _with(self, settings: GoSettings) -> Allocation:
        return allocate(
            self.board, settings, hold=self.hold, waste=self.waste, seconds=self.seconds
        )

    def _controls(self) -> list[Any]:
        import ipywidgets as widgets

        self._gogc = widgets.SelectionSlider(
            options=["10", "25", "50", "100", "200", "400", "off"],
            value="100",
            description="GOGC",
            layout=widgets.Layout(width="380px"),
        )
        self._limit = widgets.Text(
            placeholder="no limit; or 64MiB",
            description="GOMEMLIMIT",
            layout=widgets.Layout(width="300px"),
        )
        for each in (self._gogc, self._limit):
            each.style.description_width = "90px"
        settings = widgets.HBox([self._gogc, self._limit])
        return [settings, *self._sizes(), self._buttons(), self._answer, self._chart]

    def _allocate(self) -> Allocation:
        limit = self._limit.value.strip() or None
        return self._with(GoSettings(gogc=self._gogc.value, gomemlimit=limit))


class UnitPanel(_RunsPanel):
    """A systemd unit from sliders: its text, and what becomes of the program in it.

    >>> UnitPanel(open_board("debian-12"))                   # doctest: +SKIP
    """

    title = "systemd unit"

    def __init__(self, board: Board, *, hold: int = 64, waste: int = 128) -> None:
        super().__init__(board, hold=hold, waste=waste, seconds=20.0)
        self.limits: dict[str, Any] = {}

    def unit(self) -> Unit:
        """The unit as the controls stand."""
        return Unit(["allocate", str(self.hold), str(self.waste), "50"], **self.limits)

    def run(self, **limits: Any) -> str:
        """Run the program under these fields of a :class:`Unit` and add the run."""
        self.limits = limits
        return self.add(self._allocate())

    def text(self) -> str:
        """See :meth:`Panel.text`."""
        return f"{super().text()}\n{self.unit()}"

    def _controls(self) -> list[Any]:
        import ipywidgets as widgets

        cpus = self.board.facts.cpus
        self._cpus = widgets.SelectMultiple(
            options=[(f"processor {cpu}", cpu) for cpu in range(cpus)],
            description="affinity",
            rows=min(cpus, 4),
            layout=widgets.Layout(width="220px"),
        )
        sizes = ["", "32M", "48M", "64M", "96M", "128M", "256M"]
        self._max, self._high = (
            widgets.SelectionSlider(
                options=[(size or "no limit", size) for size in sizes],
                description=name,
                layout=widgets.Layout(width="360px"),
            )
            for name in ("MemoryMax", "MemoryHigh")
        )
        self._quota = widgets.IntSlider(
            value=0, min=0, max=100 * cpus, step=10, description="CPUQuota %"
        )
        self._text = widgets.HTML()
        for each in (self._cpus, self._max, self._high, self._quota):
            each.style.description_width = "90px"
            each.observe(lambda _: self._changed(), "value")
        memory_and_time = widgets.VBox([self._max, self._high, self._quota])
        rows = self._sizes()
        for each in (self._hold, self._waste):
            each.observe(lambda _: self._changed(), "value")
        self._changed()
        top = widgets.HBox([self._cpus, memory_and_time])
        return [top, *rows, self._text, self._buttons(), self._answer, self._chart]

    def _changed(self) -> None:
        chosen = {
            "cpus": list(self._cpus.value),
            "memory_max": self._max.value,
            "memory_high": self._high.value,
            "quota": self._quota.value or None,
        }
        self.limits = {name: value for name, value in chosen.items() if value}
        self.hold, self.waste = self._hold.value, self._waste.value
        warning = "\n".join(f"# {each}" for each in self.unit().problems(self.board))
        whole = f"{self.unit().text()}{warning}"
        self._text.value = (
            "<pre style='margin:4px 0;padding:6px 10px;background:#f4f4f4;line-height:1.35'>"
            f"{escape(whole)}</pre>"
        )

    def _allocate(self) -> Allocation:
        return allocate(
            self.board, hold=self.hold, waste=self.waste, limits=self.limits, seconds=self.seconds
        )
