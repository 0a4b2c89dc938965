"""Empirical cumulative distributions: the share of the values that lie at or below each value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.plots.plot import COLOURS, Plot, despine, new_figure

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ecdf"]

_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1)))
_SMALLEST = 1e-3
"""Stands for values that a logarithmic axis cannot show: 0 and less."""


def ecdf(values: pd.DataFrame, *, axis: str, emulated: bool) -> Plot:
    """Draw one curve for each ``label``: the share of its values that are at most x.

    ``values`` has the columns ``label`` and ``value``. The axis of values is logarithmic; a value
    below 0.001 is drawn there. ``axis`` names the values and their unit.

    >>> import pandas as pd
    >>> two = pd.DataFrame({"label": "a", "value": [1.0, 4.0]})
    >>> ecdf(two, axis="lateness (ms)", emulated=True).alt
    'Cumulative shares of lateness (ms). a: half at most 1, all at most 4.'
    """
    from matplotlib.ticker import LogLocator

    figure = new_figure(height=4.2, emulated=emulated)
    axes = figure.subplots()
    texts = []
    for index, label in enumerate(dict.fromkeys(values["label"])):
        curve = values.loc[values["label"] == label, "value"].sort_values().clip(lower=_SMALLEST)
        axes.step(
            curve,
            [(rank + 1) / len(curve) for rank in range(len(curve))],
            where="post",
            label=label,
            color=COLOURS[index % len(COLOURS)],
            linestyle=_STYLES[index % len(_STYLES)],
            linewidth=1.8,
        )
        median = curve.iloc[(len(curve) - 1) // 2]
        texts.append(f"{label}: half at most {median:.3g}, all at most {curve.iloc[-1]:.3g}.")
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(LogLocator(subs=(2, 5), numticks=99))
    for set_formatter in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        set_formatter("{x:g}")  # 0.1, not a power of ten
    axes.set_xlabel(axis)
    axes.set_ylabel("share of the wake-ups")
    axes.set_ylim(0, 1.02)
    axes.grid(axis="x", color="0.9")
    despine(axes)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.14), ncols=2, frameon=False, fontsize=9)
    return Plot(figure, f"Cumulative shares of {axis}. {' '.join(texts)}")
