"""Processor clocks over time, one panel for each series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.plots.plot import COLOURS, Plot, despine, new_figure

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["clocks"]


def clocks(
    samples: pd.DataFrame,
    *,
    emulated: bool,
    load: tuple[float, float] | None = None,
    khz_range: tuple[int, int] | None = None,
) -> Plot:
    """Draw the clock as a step line, one panel below the other for each ``label``.

    ``samples`` has the columns ``label``, ``seconds`` and ``khz``. ``load`` is the start and the
    end of a load in seconds; that time is shaded. ``khz_range`` is the lowest and the highest
    clock of the axis in kHz. Without it they are the lowest and the highest sample.

    >>> import pandas as pd
    >>> two = pd.DataFrame({"label": "a", "seconds": [0.0, 1.0], "khz": [1500000, 2400000]})
    >>> clocks(two, emulated=True).alt
    'Clock over 1 s. a: 1500 to 2400 MHz.'
    """
    labels = list(dict.fromkeys(samples["label"]))
    figure = new_figure(height=0.9 + 0.85 * len(labels), emulated=emulated)
    panels = figure.subplots(len(labels), sharex=True, sharey=True, squeeze=False)[:, 0]
    for panel, label in zip(panels, labels, strict=True):
        series = samples[samples["label"] == label]
        mhz = series["khz"] / 1000
        panel.step(series["seconds"], mhz, where="post", color=COLOURS[0], linewidth=1.6)
        if load:
            panel.axvspan(*load, color="0.9", zorder=0)
        panel.set_title(label, loc="left", fontsize=9, pad=2)
        despine(panel)
    low, high = (khz / 1000 for khz in khz_range or (samples["khz"].min(), samples["khz"].max()))
    margin = max((high - low) * 0.12, 20)
    panels[0].set_ylim(low - margin, high + margin)
    if load:
        panels[0].text(load[0], high, " under load", fontsize=8, va="top", color="0.35")
    figure.supylabel("clock (MHz)", fontsize=10)
    panels[-1].set_xlabel("time (s)")
    panels[-1].set_xlim(left=0)
    return Plot(figure, f"Clock over {samples['seconds'].max():.0f} s. {_range_text(samples)}")


def _range_text(samples: pd.DataFrame) -> str:
    ranges = samples.groupby("label", sort=False)["khz"].agg(["min", "max"]) / 1000
    return " ".join(
        f"{label}: {row['min']:.0f} to {row['max']:.0f} MHz." for label, row in ranges.iterrows()
    )
