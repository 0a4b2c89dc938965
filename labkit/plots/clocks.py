"""Processor clocks over time, a row a series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.plots.plot import COLOURS, Plot, new_figure

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["clocks"]


def clocks(
    samples: pd.DataFrame,
    *,
    emulated: bool,
    load: tuple[float, float] | None = None,
    span: tuple[int, int] | None = None,
) -> Plot:
    """Draw the clock as steps, one small picture below the other for each ``label``.

    ``samples`` has the columns ``label``, ``seconds`` and ``khz``. The time of the ``load``
    (from and to, in seconds) is shaded. ``span`` are the lowest and highest clock of the
    axis in kHz; without it, those that were seen.

    >>> import pandas as pd
    >>> two = pd.DataFrame({"label": "a", "seconds": [0.0, 1.0], "khz": [1500000, 2400000]})
    >>> clocks(two, emulated=True).alt
    'Clock over 1 s. a: 1500 to 2400 MHz.'
    """
    labels = list(dict.fromkeys(samples["label"]))
    figure = new_figure(height=0.9 + 0.85 * len(labels), emulated=emulated)
    rows = figure.subplots(len(labels), sharex=True, sharey=True, squeeze=False)[:, 0]
    for row, label in zip(rows, labels, strict=True):
        mine = samples[samples["label"] == label]
        row.step(mine["seconds"], mine["khz"] / 1000, where="post", color=COLOURS[0], linewidth=1.6)
        if load:
            row.axvspan(*load, color="0.9", zorder=0)
        row.set_title(label, loc="left", fontsize=9, pad=2)
        row.spines[["top", "right"]].set_visible(False)
    low, high = (khz / 1000 for khz in span or (samples["khz"].min(), samples["khz"].max()))
    margin = max((high - low) * 0.12, 20)
    rows[0].set_ylim(low - margin, high + margin)
    if load:
        rows[0].text(load[0], high, " under load", fontsize=8, va="top", color="0.35")
    figure.supylabel("clock (MHz)", fontsize=10)
    rows[-1].set_xlabel("time (s)")
    rows[-1].set_xlim(left=0)
    spans = samples.groupby("label", sort=False)["khz"].agg(["min", "max"]) / 1000
    told = " ".join(f"{k}: {lo:.0f} to {hi:.0f} MHz." for k, (lo, hi) in _rows(spans))
    return Plot(figure, f"Clock over {samples['seconds'].max():.0f} s. {told}")


def _rows(frame: pd.DataFrame) -> list[tuple[str, tuple[float, float]]]:
    return [(str(k), (float(r["min"]), float(r["max"]))) for k, r in frame.iterrows()]
