"""Which processor each goroutine ran on, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.plots.plot import COLOURS, Plot, count_text, despine, new_figure

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["timeline"]


def timeline(slices: pd.DataFrame, *, emulated: bool) -> Plot:
    """Draw one row for each goroutine and one bar for each time that it ran without a break.

    The colour of a bar is that of its processor. ``slices`` has the columns ``goroutine`` and
    ``cpu`` (numbers), ``start_ms`` and ``end_ms`` (milliseconds since the program's start).

    >>> import pandas as pd
    >>> one = pd.DataFrame({"goroutine": [0], "cpu": [1], "start_ms": [0.0], "end_ms": [2.0]})
    >>> timeline(one, emulated=True).alt
    'Timeline of 1 goroutine on 1 processor over 2 ms, 1 stretch of work.'
    """
    goroutines = slices["goroutine"].nunique()
    cpus = sorted(slices["cpu"].unique())
    figure = new_figure(height=1.2 + 0.34 * goroutines, emulated=emulated)
    axes = figure.subplots()
    for index, cpu in enumerate(cpus):
        on_cpu = slices[slices["cpu"] == cpu]
        axes.barh(
            on_cpu["goroutine"],
            on_cpu["end_ms"] - on_cpu["start_ms"],
            left=on_cpu["start_ms"],
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
    despine(axes)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(cpus), frameon=False)
    alt = (
        f"Timeline of {count_text(goroutines, 'goroutine')} on "
        f"{count_text(len(cpus), 'processor')} over {slices['end_ms'].max():.0f} ms, "
        f"{count_text(len(slices), 'stretch', 'stretches')} of work."
    )
    return Plot(figure, alt)
