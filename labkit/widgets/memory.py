"""Panels that run the allocation program: with settings of Go, or with limits of systemd."""

from __future__ import annotations

from abc import abstractmethod
from html import escape
from typing import Any

from labkit.bench.memory import Allocation, allocate
from labkit.boards import Board
from labkit.plots import Plot, memory
from labkit.tuning.gosettings import GoSettings
from labkit.tuning.units import Unit
from labkit.widgets.panel import Panel, button

__all__ = ["MemoryPanel", "UnitPanel"]

_DESCRIPTION_WIDTH = "90px"


class _AllocationPanel(Panel):
    """A panel whose button runs the allocation program and adds the run to a plot."""

    timeout = 30.0
    """Seconds after which systemd ends the program."""

    def __init__(self, board: Board, *, live_mib: int, garbage_mib: int) -> None:
        super().__init__(board)
        self.live_mib, self.garbage_mib = live_mib, garbage_mib
        self.runs: list[Allocation] = []

    def add_run(self, run: Allocation) -> str:
        """Add a run to those that the plot shows; return its result as one line."""
        self.runs.append(run)
        return str(run)

    def plot(self) -> Plot | None:
        """Plot the memory that Go held in each run. None without any samples."""
        import pandas as pd

        run_by_label = {f"{number}. {run.label}": run for number, run in enumerate(self.runs, 1)}
        frames = [
            run.heap.assign(label=label, mib=run.heap["system_mib"])
            for label, run in run_by_label.items()
            if len(run.heap)
        ]
        if not frames:
            return None
        killed = {label for label, run in run_by_label.items() if run.run.result != "success"}
        return memory(pd.concat(frames), emulated=self.board.emulated, killed=killed)

    def text(self) -> str:
        """See :meth:`Panel.text`."""
        heading = (
            f"{self.title} panel of {self.board.name}: "
            f"{self.live_mib} MiB live, {self.garbage_mib} MiB garbage"
        )
        return "\n".join([heading, *map(str, self.runs)])

    @abstractmethod
    def _allocate(self) -> Allocation:
        """Run the program with the values of the controls."""

    def _size_sliders(self) -> Any:
        import ipywidgets as widgets

        self._live_slider = _slider(
            "live MiB", self.live_mib, 256, tooltip="MiB that the program keeps"
        )
        self._garbage_slider = _slider(
            "garbage MiB", self.garbage_mib, 1024, tooltip="MiB that it allocates and discards"
        )
        return widgets.HBox([self._live_slider, self._garbage_slider])

    def _footer(self) -> list[Any]:
        import ipywidgets as widgets

        self._chart = widgets.HTML()
        buttons = [
            button("Run", self._run, style="primary", tooltip="Run the program on the board"),
            button("Clear", self._clear, tooltip="Remove all runs from the plot"),
            button("Close", self.close, tooltip="Remove this panel"),
        ]
        return [widgets.HBox(buttons), self._status, self._chart]

    def _read_sizes(self) -> None:
        self.live_mib, self.garbage_mib = self._live_slider.value, self._garbage_slider.value

    def _run(self) -> None:
        with self._reporting(f"running on {self.board.name}, at most {self.timeout:g} s"):
            self._read_sizes()
            summary = self.add_run(self._allocate())
            self._report(summary, "good" if self.runs[-1].run.result == "success" else "bad")
            self._draw()

    def _clear(self) -> None:
        self.runs.clear()
        self._chart.value = ""
        self._report("")

    def _draw(self) -> None:
        plot = self.plot()
        self._chart.value = plot._repr_html_() if plot else ""


class MemoryPanel(_AllocationPanel):
    """GOGC and GOMEMLIMIT: run the allocation program with them and compare.

    >>> MemoryPanel(open_board("debian-12"))                 # doctest: +SKIP
    """

    title = "Memory of Go"

    def __init__(self, board: Board, *, live_mib: int = 32, garbage_mib: int = 256) -> None:
        super().__init__(board, live_mib=live_mib, garbage_mib=garbage_mib)

    def run(self, settings: GoSettings) -> str:
        """Run the program with these settings and add the run; return its result as one line."""
        return self.add_run(self._allocate_with(settings))

    def _allocate_with(self, settings: GoSettings) -> Allocation:
        return allocate(
            self.board,
            settings,
            live_mib=self.live_mib,
            garbage_mib=self.garbage_mib,
            timeout=self.timeout,
        )

    def _allocate(self) -> Allocation:
        limit = self._limit_field.value.strip() or None
        return self._allocate_with(GoSettings(gogc=self._gogc_slider.value, gomemlimit=limit))

    def _controls(self) -> list[Any]:
        import ipywidgets as widgets

        self._gogc_slider = widgets.SelectionSlider(
            options=["10", "25", "50", "100", "200", "400", "off"],
            value="100",
            description="GOGC",
            layout=widgets.Layout(width="380px"),
        )
        self._limit_field = widgets.Text(
            placeholder="no limit; or 64MiB",
            description="GOMEMLIMIT",
            layout=widgets.Layout(width="300px"),
        )
        for widget in (self._gogc_slider, self._limit_field):
            widget.style.description_width = _DESCRIPTION_WIDTH
        settings = widgets.HBox([self._gogc_slider, self._limit_field])
        return [settings, self._size_sliders(), *self._footer()]


class UnitPanel(_AllocationPanel):
    """Limits of a systemd unit: its text, and the result of the program that runs as this unit.

    >>> UnitPanel(open_board("debian-12"))                   # doctest: +SKIP
    """

    title = "systemd unit"
    timeout = 20.0

    def __init__(self, board: Board, *, live_mib: int = 64, garbage_mib: int = 128) -> None:
        super().__init__(board, live_mib=live_mib, garbage_mib=garbage_mib)
        self.limits: dict[str, Any] = {}

    def unit(self) -> Unit:
        """The unit with the values of the controls."""
        return Unit(["allocate", str(self.live_mib), str(self.garbage_mib), "50"], **self.limits)

    def run(self, **limits: Any) -> str:
        """Run the program with these fields of a :class:`Unit` and add the run."""
        self.limits = limits
        return self.add_run(self._allocate())

    def text(self) -> str:
        """See :meth:`Panel.text`."""
        return f"{super().text()}\n{self.unit()}"

    def _allocate(self) -> Allocation:
        return allocate(
            self.board,
            live_mib=self.live_mib,
            garbage_mib=self.garbage_mib,
            limits=self.limits,
            timeout=self.timeout,
        )

    def _controls(self) -> list[Any]:
        import ipywidgets as widgets

        limits, sizes = self._limit_controls(), self._size_sliders()
        self._unit_text = widgets.HTML()
        for widget in (self._live_slider, self._garbage_slider):
            widget.observe(lambda _: self._read_controls(), "value")
        self._read_controls()
        return [limits, sizes, self._unit_text, *self._footer()]

    def _limit_controls(self) -> Any:
        import ipywidgets as widgets

        cpus = self.board.facts.cpus
        self._cpus_menu = widgets.SelectMultiple(
            options=[(f"processor {cpu}", cpu) for cpu in range(cpus)],
            description="affinity",
            rows=min(cpus, 4),
            layout=widgets.Layout(width="220px"),
        )
        self._max_slider, self._high_slider = map(_limit_slider, ("MemoryMax", "MemoryHigh"))
        self._quota_slider = widgets.IntSlider(
            value=0, min=0, max=100 * cpus, step=10, description="CPUQuota %"
        )
        sliders = [self._max_slider, self._high_slider, self._quota_slider]
        for widget in (self._cpus_menu, *sliders):
            widget.style.description_width = _DESCRIPTION_WIDTH
            widget.observe(lambda _: self._read_controls(), "value")
        return widgets.HBox([self._cpus_menu, widgets.VBox(sliders)])

    def _read_controls(self) -> None:
        """Take over the values of the controls and show the unit's text."""
        values = {
            "cpu_affinity": list(self._cpus_menu.value),
            "memory_max": self._max_slider.value,
            "memory_high": self._high_slider.value,
            "cpu_quota": self._quota_slider.value or None,
        }
        self.limits = {name: value for name, value in values.items() if value}
        self._read_sizes()
        unit = self.unit()
        warnings = "\n".join(f"# {problem}" for problem in unit.unsupported(self.board))
        self._unit_text.value = (
            "<pre style='margin:4px 0;padding:6px 10px;background:#f4f4f4;line-height:1.35'>"
            f"{escape(unit.text() + warnings)}</pre>"
        )


def _slider(description: str, value: int, largest: int, *, tooltip: str) -> Any:
    import ipywidgets as widgets

    slider = widgets.IntSlider(
        value=value, min=0, max=largest, step=8, description=description, continuous_update=False
    )
    slider.tooltip = tooltip
    slider.layout.width = "380px"
    slider.style.description_width = _DESCRIPTION_WIDTH
    return slider


def _limit_slider(description: str) -> Any:
    import ipywidgets as widgets

    sizes = ["", "32M", "48M", "64M", "96M", "128M", "256M"]
    return widgets.SelectionSlider(
        options=[(size or "no limit", size) for size in sizes],
        description=description,
        layout=widgets.Layout(width="360px"),
    )
