"""A finished plot and its alternative text; the parts that all plots share."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from labkit.display import EMULATED_NOTE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "Plot", "count_text", "despine", "new_figure", "rows_text"]

# The palette of Okabe and Ito: its colours differ for readers with any common colour blindness.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")


@dataclass(frozen=True)
class Plot:
    """A matplotlib figure that a notebook displays as an image; ``alt`` is its alternative text."""

    figure: Figure
    alt: str

    def png(self) -> bytes:
        """The figure as a PNG file, at 100 dots per inch."""
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
    """Create an empty figure as wide as a notebook and ``height`` inches tall.

    It carries the note of an emulated board where ``emulated`` is true.
    """
    # Not pyplot: it keeps every figure until it is closed, and a notebook's kernel runs for long.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, height), layout="constrained", facecolor="white")
    if emulated:
        figure.text(0.995, 0.005, EMULATED_NOTE, ha="right", va="bottom", fontsize=8, color="0.35")
    return figure


def despine(axes: Axes) -> None:
    """Hide the frame's top and right line."""
    axes.spines[["top", "right"]].set_visible(False)


def rows_text(texts: pd.DataFrame) -> str:
    """The rows of a frame of texts as one line, for the alternative text of a plot.

    >>> import pandas as pd
    >>> rows_text(pd.DataFrame({"v8.0": ["4"], "v8.1": ["1"]}, index=["Add"]))
    'Add: v8.0 4, v8.1 1.'
    """
    rows = [
        f"{name}: " + ", ".join(f"{column} {text}" for column, text in row.items())
        for name, row in texts.iterrows()
    ]
    return "; ".join(rows) + "."


def count_text(count: int, singular: str, plural: str = "") -> str:
    """A count with its noun.

    >>> count_text(1, "row"), count_text(2, "row"), count_text(2, "stretch", "stretches")
    ('1 row', '2 rows', '2 stretches')
    """
    return f"{count} {singular if count == 1 else plural or singular + 's'}"
