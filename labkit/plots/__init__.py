"""One look for every plot; each plot is a function of a data frame."""

from labkit.plots.picture import Picture
from labkit.plots.timeline import timeline

__all__ = ["Picture", "timeline"]
