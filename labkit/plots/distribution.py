"""How often each value came: histograms, one below the other where several are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labkit.plots.plot import COLOURS, Plot, new_figure

__all__ = ["histogram"]


def histogram(
    samples: Mapping[str, Sequence[float]],
    *,
    label: str,
    emulated: bool,
    bins: int = 40,
    marks: Mapping[str, float] | None = None,
) -> Plot:
    """Draw one histogram a name, all on one axis of values; ``label`` names them with a unit.

    ``marks`` are values worth a dashed line, by what they mean.

    >>> histogram({"lock": [1.0, 2.0, 3.0]}, label="delay (ms)", emulated=True).alt
    'Histograms of delay (ms). lock: 3 values, median 2, from 1 to 3.'
    """
    import numpy as np

    figure = new_figure(height=0.9 + 1.5 * len(samples), emulated=emulated)
    panes = figure.subplots(len(samples), sharex=True, squeeze=False)[:, 0]
    everything = np.concatenate([np.asarray(values, dtype=float) for values in samples.values()])
    edges = np.histogram_bin_edges(everything, bins=bins)
    said = []
    for index, (pane, (name, values)) in enumerate(zip(panes, samples.items(), strict=True)):
        pane.hist(values, bins=edges, color=COLOURS[index % len(COLOURS)])
        for meaning, value in (marks or {}).items():
            pane.axvline(value, color="0.3", linestyle="--", linewidth=1)
            if index == 0:
                pane.annotate(
                    f" {meaning}", (value, 1), xycoords=("data", "axes fraction"), fontsize=8
                )
        pane.set_ylabel("count")
        pane.set_title(name, loc="right", fontsize=9)
        pane.spines[["top", "right"]].set_visible(False)
        said.append(
            f"{name}: {len(values)} values, median {np.median(values):.3g}, "
            f"from {min(values):.3g} to {max(values):.3g}"
        )
    panes[-1].set_xlabel(label)
    return Plot(figure, f"Histograms of {label}. {'; '.join(said)}.")
