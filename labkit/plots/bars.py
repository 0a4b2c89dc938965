"""Amounts side by side: horizontal bars, and a waterfall of the changes from step to step."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from labkit.plots.plot import COLOURS, Plot, despine, new_figure, rows_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["barh", "waterfall"]

_HATCHES = (None, "///", "...", "xxx", "\\\\\\", "+++")


def barh(
    frame: pd.DataFrame, *, label: str, emulated: bool, fmt: str = "{:,.0f}", title: str = ""
) -> Plot:
    """Draw horizontal bars: one group for each row of the frame, one bar for each column.

    The number stands at the end of its bar, formatted with ``fmt``. ``label`` names the numbers
    and their unit. The name of the frame's index becomes the label of the other axis.

    >>> import pandas as pd
    >>> sizes = pd.DataFrame({"hello": [2.3], "server": [9.1]}, index=["plain"])
    >>> barh(sizes, label="size (MB)", emulated=False, fmt="{:.1f}").alt
    'Bars of size (MB). plain: hello 2.3, server 9.1.'
    """
    groups, columns = frame.shape
    figure = new_figure(height=1.3 + 0.26 * groups * columns + 0.1 * groups, emulated=emulated)
    axes = figure.subplots()
    _draw_bars(axes, frame, fmt)
    axes.set_yticks(range(groups), [str(name) for name in frame.index])
    axes.set_ylabel(str(frame.index.name or ""))
    axes.invert_yaxis()
    axes.set_xlabel(label)
    axes.margins(x=0.12)
    despine(axes)
    if columns > 1:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=min(columns, 4), frameon=False)
    if title:
        axes.set_title(title, loc="left", fontsize=10, pad=26 if columns > 1 else 6)
    return Plot(figure, f"Bars of {label}. {rows_text(frame.map(fmt.format))}")


def _draw_bars(axes: Axes, frame: pd.DataFrame, fmt: str) -> None:
    groups, columns = frame.shape
    height = 0.8 / columns
    for index, (name, column) in enumerate(frame.items()):
        offset = (index - (columns - 1) / 2) * height
        bars = axes.barh(
            [group + offset for group in range(groups)],
            column.astype(float),
            height=height * 0.92,
            color=COLOURS[index % len(COLOURS)],
            hatch=_HATCHES[index % len(_HATCHES)],
            edgecolor="white",
            linewidth=0.4,
            label=str(name),
        )
        axes.bar_label(bars, [fmt.format(value) for value in column], padding=3, fontsize=8)


def waterfall(steps: pd.Series, *, label: str, emulated: bool, fmt: str = "{:,.0f}") -> Plot:
    """Draw how an amount changes step by step: each entry is the total after a step.

    The first bar shows the first total. Each later bar shows the difference from the total
    before it, in one colour for less and another for more. ``label`` names the amount and its
    unit, ``fmt`` formats it.

    >>> import pandas as pd
    >>> waterfall(pd.Series({"plain": 9, "-w": 7, "-s": 6}), label="MB", emulated=False).alt
    'Waterfall of MB: plain 9, -w 7 (-2), -s 6 (-1).'
    """
    figure = new_figure(height=3.4, emulated=emulated)
    axes = figure.subplots()
    totals = [float(value) for value in steps]
    texts = [fmt.format(totals[0])]
    _draw_step(axes, 0, 0.0, totals[0], texts[0])
    for index, (before, total) in enumerate(pairwise(totals), start=1):
        sign = "+" if total > before else ""
        texts.append(f"{fmt.format(total)} ({sign}{fmt.format(total - before)})")
        _draw_step(axes, index, before, total, texts[index])
    axes.set_xticks(range(len(steps)), [str(name) for name in steps.index])
    axes.set_ylabel(label)
    axes.set_ylim(top=1.18 * max(totals))
    despine(axes)
    named = ", ".join(f"{name} {text}" for name, text in zip(steps.index, texts, strict=True))
    return Plot(figure, f"Waterfall of {label}: {named}.")


def _draw_step(axes: Axes, index: int, before: float, total: float, text: str) -> None:
    change = total - before
    colour = COLOURS[0] if index == 0 else COLOURS[2] if change <= 0 else COLOURS[5]
    axes.bar(index, change, bottom=before, color=colour, width=0.62)
    if index:
        axes.plot([index - 1, index], [before, before], color="0.5", linewidth=0.8)
        axes.bar(index, min(total, before), color="0.9", width=0.62)
    axes.annotate(
        text.replace(" (", "\n("),
        (index, max(total, before)),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        fontsize=8,
    )
