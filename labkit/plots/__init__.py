"""One look for every plot; each plot is a function of a data frame."""

from labkit.plots.bars import bars, waterfall
from labkit.plots.clocks import clocks
from labkit.plots.cumulative import cumulative
from labkit.plots.distribution import histogram
from labkit.plots.grid import heatmap, truth_table
from labkit.plots.memory import memory
from labkit.plots.picture import Picture
from labkit.plots.timeline import timeline

__all__ = [
    "Picture",
    "bars",
    "clocks",
    "cumulative",
    "heatmap",
    "histogram",
    "memory",
    "timeline",
    "truth_table",
    "waterfall",
]
