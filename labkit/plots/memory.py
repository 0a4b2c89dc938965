"""Memory over time, a line a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from labkit.plots.plot import COLOURS, Plot, new_figure

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["memory"]

_STYLES = ("-", "--", "-.", ":")


def memory(
    samples: pd.DataFrame,
    *,
    emulated: bool,
    limits: Mapping[str, float] | None = None,
    killed: frozenset[str] | set[str] = frozenset(),
) -> Plot:
    """Draw the memory of several runs, and the limits they were under.

    ``samples`` has the columns ``label``, ``seconds`` and ``mib``. ``limits`` are MiB by name,
    drawn across. A run whose label is in ``killed`` has a cross where it ended.

    >>> import pandas as pd
    >>> one = pd.DataFrame({"label": "GOGC=100", "seconds": [0.0, 2.0], "mib": [4.0, 40.0]})
    >>> memory(one, emulated=True, limits={"MemoryMax": 128.0}).alt
    'Memory over 2 s. GOGC=100: at most 40 MiB. MemoryMax: 128 MiB.'
    """
    labels = list(dict.fromkeys(samples["label"]))
    figure = new_figure(height=3.4 + 0.22 * ((len(labels) + 1) // 2), emulated=emulated)
    axes = figure.subplots()
    told = []
    for index, label in enumerate(labels):
        mine = samples[samples["label"] == label]
        colour = COLOURS[index % len(COLOURS)]
        style = _STYLES[index % len(_STYLES)]
        axes.plot(mine["seconds"], mine["mib"], style, color=colour, label=label, linewidth=1.8)
        end = ""
        if label in killed and len(mine):
            # The last samples may be of the time when its memory was given back already.
            last = mine[mine["mib"] > mine["mib"].max() / 2].iloc[-1]
            axes.plot(last["seconds"], last["mib"], "X", color=colour, markersize=10)
            end = ", then killed"
        told.append(f"{label}: at most {mine['mib'].max():.0f} MiB{end}.")
    for name, limit in (limits or {}).items():
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
        )
        told.append(f"{name}: {limit:.0f} MiB.")
    axes.set_xlabel("time (s)")
    axes.set_ylabel("memory (MiB)")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.16), ncols=2, frameon=False, fontsize=9)
    seconds = samples["seconds"].max()
    return Plot(figure, f"Memory over {seconds:.0f} s. {' '.join(told)}")
