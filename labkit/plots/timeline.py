"""Which processor each goroutine ran on, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.plots.plot import COLOURS, Plot, new_figure

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["timeline"]


def timeline(slices: pd.DataFrame, *, emulated: bool) -> Plot:
    """Draw one row a goroutine, one bar a stretch of work, in the colour of its processor.

    ``slices`` has the columns ``goroutine`` and ``cpu`` (numbers), ``start_ms`` and
    ``end_ms`` (milliseconds since the program began).

    >>> import pandas as pd
    >>> one = pd.DataFrame({"goroutine": [0], "cpu": [1], "start_ms": [0.0], "end_ms": [2.0]})
    >>> timeline(one, emulated=True).alt
    'Timeline of 1 goroutine on 1 processor over 2 ms, 1 stretch of work.'
    """
    goroutines = slices["goroutine"].nunique()
    processors = sorted(slices["cpu"].unique())
    figure = new_figure(height=1.2 + 0.34 * goroutines, emulated=emulated)
    axes = figure.subplots()
    for index, cpu in enumerate(processors):
        mine = slices[slices["cpu"] == cpu]
        axes.barh(
            mine["goroutine"],
            mine["end_ms"] - mine["start_ms"],
            left=mine["start_ms"],
            height=0.75,
            color=COLOURS[index % len(COLOURS)],
            # Colour alone is not enough in print: every second processor is hatched too.
            hatch="///" if index % 2 else None,
            edgecolor="white",
            linewidth=0.4,
            label=f"processor {cpu}",
        )
    axes.set_xlabel("time since the program began (ms)")
    axes.set_ylabel("goroutine")
    axes.set_yticks(range(goroutines))
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(processors), frameon=False)
    alt = (
        f"Timeline of {_number(goroutines, 'goroutine')} on "
        f"{_number(len(processors), 'processor')} over {slices['end_ms'].max():.0f} ms, "
        f"{_number(len(slices), 'stretch', 'stretches')} of work."
    )
    return Plot(figure, alt)


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
