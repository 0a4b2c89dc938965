"""Distributions as cumulative curves: which share of the values is below each value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.plots.plot import COLOURS, Plot, new_figure

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ecdf"]

_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1)))


def ecdf(values: pd.DataFrame, *, axis: str, emulated: bool) -> Plot:
    """Draw a curve for each ``label``: the share of its values that are at most so large.

    ``values`` has the columns ``label`` and ``value`` (above 0; the axis is logarithmic).
    ``axis`` names the value and its unit.

    >>> import pandas as pd
    >>> two = pd.DataFrame({"label": "a", "value": [1.0, 4.0]})
    >>> ecdf(two, axis="lateness (ms)", emulated=True).alt
    'Cumulative shares of lateness (ms). a: half at most 1, all at most 4.'
    """
    figure = new_figure(height=4.2, emulated=emulated)
    axes = figure.subplots()
    told = []
    for index, label in enumerate(dict.fromkeys(values["label"])):
        mine = values.loc[values["label"] == label, "value"].sort_values().clip(lower=1e-3)
        shares = [(place + 1) / len(mine) for place in range(len(mine))]
        axes.step(
            mine,
            shares,
            where="post",
            label=label,
            color=COLOURS[index % len(COLOURS)],
            linestyle=_STYLES[index % len(_STYLES)],
            linewidth=1.8,
        )
        half = mine.iloc[(len(mine) - 1) // 2]
        told.append(f"{label}: half at most {half:.3g}, all at most {mine.iloc[-1]:.3g}.")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")  # 0.1 rather than ten to the minus first
    axes.set_xlabel(axis)
    axes.set_ylabel("share of the wake-ups")
    axes.set_ylim(0, 1.02)
    axes.grid(axis="x", color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.14), ncols=2, frameon=False, fontsize=9)
    return Plot(figure, f"Cumulative shares of {axis}. {' '.join(told)}")
