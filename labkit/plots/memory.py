"""Memory over time, one line for each run."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from labkit.plots.plot import COLOURS, Plot, despine, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["memory"]

_STYLES = ("-", "--", "-.", ":")


def memory(
    samples: pd.DataFrame,
    *,
    emulated: bool,
    limits: Mapping[str, float] | None = None,
    killed: AbstractSet[str] = frozenset(),
) -> Plot:
    """Draw the memory of several runs, and the limits that applied to them.

    ``samples`` has the columns ``label``, ``seconds`` and ``mib``. ``limits`` are drawn as
    horizontal lines: ``{name: MiB}``. A run whose label is in ``killed`` has a cross at its end.

    >>> import pandas as pd
    >>> one = pd.DataFrame({"label": "GOGC=100", "seconds": [0.0, 2.0], "mib": [4.0, 40.0]})
    >>> memory(one, emulated=True, limits={"MemoryMax": 128.0}).alt
    'Memory over 2 s. GOGC=100: at most 40 MiB. MemoryMax: 128 MiB.'
    """
    labels = list(dict.fromkeys(samples["label"]))
    figure = new_figure(height=3.4 + 0.22 * ((len(labels) + 1) // 2), emulated=emulated)
    axes = figure.subplots()
    texts = []
    for index, label in enumerate(labels):
        run = samples[samples["label"] == label]
        colour, style = COLOURS[index % len(COLOURS)], _STYLES[index % len(_STYLES)]
        axes.plot(run["seconds"], run["mib"], style, color=colour, label=label, linewidth=1.8)
        if label in killed:
            _mark_end(axes, run, colour)
        end = ", then killed" if label in killed else ""
        texts.append(f"{label}: at most {run['mib'].max():.0f} MiB{end}.")
    for name, limit in (limits or {}).items():
        _draw_limit(axes, name, limit)
        texts.append(f"{name}: {limit:.0f} MiB.")
    axes.set_xlabel("time (s)")
    axes.set_ylabel("memory (MiB)")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    despine(axes)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.16), ncols=2, frameon=False, fontsize=9)
    return Plot(figure, f"Memory over {samples['seconds'].max():.0f} s. {' '.join(texts)}")


def _mark_end(axes: Axes, run: pd.DataFrame, colour: str) -> None:
    # The kernel frees the memory of a killed program while it is still sampled: these last
    # samples do not show where it was killed.
    last = run[run["mib"] >= run["mib"].max() * 0.9].iloc[-1]
    axes.plot(last["seconds"], last["mib"], "X", color=colour, markersize=10)


def _draw_limit(axes: Axes, name: str, limit: float) -> None:
    axes.axhline(limit, color="0.4", linewidth=1, linestyle=(0, (1, 2)))
    axes.annotate(
        f"{name} {limit:.0f} MiB",
        (1, limit),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 3),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        color="0.3",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
    )
