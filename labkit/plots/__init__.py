"""Plots with one common style. Each plot is a function of a data frame."""

from labkit.plots.bars import barh, waterfall
from labkit.plots.clocks import clocks
from labkit.plots.ecdf import ecdf
from labkit.plots.grid import category_grid, heatmap
from labkit.plots.histogram import histogram
from labkit.plots.memory import memory
from labkit.plots.plot import Plot
from labkit.plots.timeline import timeline

__all__ = [
    "Plot",
    "barh",
    "category_grid",
    "clocks",
    "ecdf",
    "heatmap",
    "histogram",
    "memory",
    "timeline",
    "waterfall",
]
