"""A finished plot, with the words for those who cannot see it."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "EMULATED", "Plot", "new_figure"]

# Okabe and Ito's colours: told apart with every common kind of colour vision.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")

EMULATED = "emulated: shape, not speed"
"""What stands on every plot of an emulated board's measurements."""


@dataclass(frozen=True)
class Plot:
    """A matplotlib figure that shows itself in a notebook, with ``alt`` as its text."""

    figure: Figure
    alt: str

    def png(self) -> bytes:
        """The picture as a PNG file, 100 dots an inch."""
        file = io.BytesIO()
        self.figure.savefig(file, format="png", dpi=100)
        return file.getvalue()

    def __str__(self) -> str:
        return f"[picture] {self.alt}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png()).decode()
        source = f"data:image/png;base64,{data}"
        return f'<img style="max-width:100%" alt="{escape(self.alt)}" src="{source}">'


def new_figure(*, height: float, emulated: bool) -> Figure:
    """An empty figure as wide as a notebook, ``height`` inches tall, marked where emulated."""
    # Not pyplot: it keeps every figure for ever, and a notebook's kernel lives long.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, height), layout="constrained", facecolor="white")
    if emulated:
        figure.text(0.995, 0.005, EMULATED, ha="right", va="bottom", fontsize=8, color="0.35")
    return figure
