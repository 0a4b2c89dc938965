"""Amounts side by side: bars, grouped bars, and a waterfall of what was added and taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.plots.plot import COLOURS, Plot, new_figure

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["bars", "waterfall"]

_HATCHES = (None, "///", "...", "xxx", "\\\\\\", "+++")


def bars(
    frame: pd.DataFrame, *, label: str, emulated: bool, form: str = "{:,.0f}", title: str = ""
) -> Plot:
    """Draw one group of lying bars an index entry, one bar a column, the number at its end.

    ``label`` names the numbers with their unit.

    >>> import pandas as pd
    >>> sizes = pd.DataFrame({"hello": [2.3], "server": [9.1]}, index=["plain"])
    >>> bars(sizes, label="size (MB)", emulated=False, form="{:.1f}").alt
    'Bars of size (MB). plain: hello 2.3, server 9.1.'
    """
    groups, kinds = len(frame), frame.shape[1]
    figure = new_figure(height=1.3 + 0.26 * groups * kinds + 0.1 * groups, emulated=emulated)
    axes = figure.subplots()
    thick = 0.8 / kinds
    for index, (name, column) in enumerate(frame.items()):
        places = [place + (index - (kinds - 1) / 2) * thick for place in range(groups)]
        drawn = axes.barh(
            places,
            column.astype(float),
            height=thick * 0.92,
            color=COLOURS[index % len(COLOURS)],
            hatch=_HATCHES[index % len(_HATCHES)],
            edgecolor="white",
            linewidth=0.4,
            label=str(name),
        )
        axes.bar_label(drawn, [form.format(value) for value in column], padding=3, fontsize=8)
    axes.set_yticks(range(groups), [str(name) for name in frame.index])
    axes.set_ylabel(str(frame.index.name or ""))
    axes.invert_yaxis()
    axes.set_xlabel(label)
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    if kinds > 1:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=min(kinds, 4), frameon=False)
    if title:
        axes.set_title(title, loc="left", fontsize=10, pad=26 if kinds > 1 else 6)
    said = "; ".join(
        f"{name}: " + ", ".join(f"{kind} {form.format(value)}" for kind, value in row.items())
        for name, row in frame.iterrows()
    )
    return Plot(figure, f"Bars of {label}. {said}.")


def waterfall(steps: pd.Series, *, label: str, emulated: bool, form: str = "{:,.0f}") -> Plot:
    """Draw how an amount comes down (or up) step by step: each entry is the total after a step.

    The first and the last bar stand on the ground; those between hang where the step left
    off, and carry the difference.

    >>> import pandas as pd
    >>> waterfall(pd.Series({"plain": 9, "-w": 7, "-s": 6}), label="MB", emulated=False).alt
    'Waterfall of MB: plain 9, -w 7 (-2), -s 6 (-1).'
    """
    figure = new_figure(height=3.4, emulated=emulated)
    axes = figure.subplots()
    totals = [float(value) for value in steps]
    said = []
    for place, (name, total) in enumerate(zip(steps.index, totals, strict=True)):
        before = totals[place - 1] if place else 0.0
        change = total - before
        shown = form.format(total)
        if place:
            shown += f" ({'+' if change > 0 else ''}{form.format(change)})"
            axes.plot([place - 1, place], [before, before], color="0.5", linewidth=0.8)
        colour = COLOURS[0] if not place else COLOURS[2] if change <= 0 else COLOURS[5]
        axes.bar(place, change, bottom=before, color=colour, width=0.62)
        if place:
            axes.bar(place, min(total, before), color="0.9", width=0.62)
        axes.annotate(
            shown.replace(" (", "\n("),
            (place, max(total, before)),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
        said.append(f"{name} {shown}")
    axes.set_xticks(range(len(steps)), [str(name) for name in steps.index])
    axes.set_ylabel(label)
    axes.set_ylim(top=1.18 * max(totals))
    axes.spines[["top", "right"]].set_visible(False)
    return Plot(figure, f"Waterfall of {label}: {', '.join(said)}.")
