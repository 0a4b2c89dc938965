"""How often each value occurs: histograms, one below the other where several are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labkit.plots.plot import COLOURS, Plot, despine, new_figure

__all__ = ["histogram"]


def histogram(
    samples: Mapping[str, Sequence[float]],
    *,
    label: str,
    emulated: bool,
    bins: int = 40,
    marks: Mapping[str, float] | None = None,
) -> Plot:
    """Draw one histogram for each name in ``samples``, all on the same axis of values.

    ``label`` names the values and their unit. ``marks`` are values drawn as dashed lines:
    ``{text: value}``.

    >>> histogram({"lock": [1.0, 2.0, 3.0]}, label="delay (ms)", emulated=True).alt
    'Histograms of delay (ms). lock: 3 values, median 2, from 1 to 3.'
    """
    import numpy as np

    figure = new_figure(height=0.9 + 1.5 * len(samples), emulated=emulated)
    panels = figure.subplots(len(samples), sharex=True, squeeze=False)[:, 0]
    all_values = np.concatenate([np.asarray(values, dtype=float) for values in samples.values()])
    edges = np.histogram_bin_edges(all_values, bins=bins)
    texts = []
    for index, (panel, (name, values)) in enumerate(zip(panels, samples.items(), strict=True)):
        panel.hist(values, bins=edges, color=COLOURS[index % len(COLOURS)])
        for text, value in (marks or {}).items():
            panel.axvline(value, color="0.3", linestyle="--", linewidth=1)
            if index == 0:
                top = {"xycoords": ("data", "axes fraction"), "fontsize": 8}
                panel.annotate(f" {text}", (value, 1), **top)
        panel.set_ylabel("count")
        panel.set_title(name, loc="right", fontsize=9)
        despine(panel)
        texts.append(
            f"{name}: {len(values)} values, median {np.median(values):.3g}, "
            f"from {min(values):.3g} to {max(values):.3g}"
        )
    panels[-1].set_xlabel(label)
    return Plot(figure, f"Histograms of {label}. {'; '.join(texts)}.")
