"""A table of numbers or of categories as coloured squares, each with its value written in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.plots.plot import COLOURS, Plot, count_text, new_figure, rows_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["category_grid", "heatmap"]

_TEXT_BOX: dict[str, Any] = {
    "boxstyle": "round,pad=0.2",
    "facecolor": "white",
    "alpha": 0.8,
    "linewidth": 0,
}


def heatmap(
    frame: pd.DataFrame, *, label: str, emulated: bool, fmt: str = "{:g}", title: str = ""
) -> Plot:
    """Draw a frame of numbers as a grid of its rows and columns. Darker is less.

    ``label`` names the numbers and their unit, ``fmt`` formats them. A missing number stays
    white. The names of the frame's index and columns become the labels of the axes.

    >>> import pandas as pd
    >>> counts = pd.DataFrame({"v8.0": [4], "v8.1": [1]}, index=["Add"])
    >>> heatmap(counts, label="instructions", emulated=False).alt
    'Grid of instructions, 1 row by 2 columns. Add: v8.0 4, v8.1 1.'
    """
    figure = new_figure(height=1.5 + 0.36 * len(frame), emulated=emulated)
    axes = figure.subplots()
    values = frame.astype(float).to_numpy()
    # The colours of cividis are in one order for all readers, colour-blind ones too, and in grey.
    image = axes.imshow(values, cmap="cividis", aspect="auto")
    low, high = image.get_clim()
    for row, row_values in enumerate(values):
        for column, value in enumerate(row_values):
            if value == value:  # NaN is a missing number
                light = high > low and (value - low) / (high - low) > 0.55
                text = fmt.format(value)
                axes.text(column, row, text, ha="center", va="center", color="k" if light else "w")
    figure.colorbar(image, ax=axes, label=label)
    _label_axes(axes, frame, title)
    texts = frame.map(lambda value: fmt.format(value) if value == value else "none")
    return Plot(figure, f"Grid of {label}, {_size_text(frame)}. {rows_text(texts)}")


def category_grid(
    frame: pd.DataFrame, *, legend: Mapping[str, str], label: str, title: str = ""
) -> Plot:
    """Draw a frame of categories as a grid: one colour for each category, and its name.

    ``legend`` explains each category of the frame: ``{category: meaning}``, at most six, in the
    order of the legend. ``label`` names what the grid shows. The category ``–`` (an en dash)
    means "nothing" and has no colour.

    >>> import pandas as pd
    >>> outcomes = pd.DataFrame({"1.21": ["refused"]}, index=["GOARM=8"])
    >>> category_grid(outcomes, legend={"refused": "exit status 2"}, label="go build").alt
    'Grid of go build, 1 row by 1 column. GOARM=8: 1.21 refused.'
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    colours = {
        category: "0.93" if category == "–" else COLOURS[index]
        for index, category in enumerate(legend)
    }
    figure = new_figure(height=1.7 + 0.36 * len(frame), emulated=False)
    axes = figure.subplots()
    codes = frame.map(list(legend).index).to_numpy()
    palette = ListedColormap(list(colours.values()))
    axes.imshow(codes, cmap=palette, vmin=0, vmax=len(legend), aspect="auto")
    for row, categories in enumerate(frame.to_numpy()):
        for column, category in enumerate(categories):
            text = axes.text(column, row, category, ha="center", va="center", fontsize=8)
            text.set_bbox(_TEXT_BOX)  # legible on each of the colours
    patches = [
        Patch(color=colours[category], label=f"{category}: {meaning}")
        for category, meaning in legend.items()
    ]
    axes.legend(handles=patches, loc="lower left", bbox_to_anchor=(0, 1.02), frameon=False)
    _label_axes(axes, frame, title)
    return Plot(figure, f"Grid of {label}, {_size_text(frame)}. {rows_text(frame)}")


def _label_axes(axes: Axes, frame: pd.DataFrame, title: str) -> None:
    axes.set_xticks(range(frame.shape[1]), [str(name) for name in frame.columns])
    axes.set_yticks(range(len(frame)), [str(name) for name in frame.index])
    axes.set_xlabel(str(frame.columns.name or ""))
    axes.set_ylabel(str(frame.index.name or ""))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    # Thin white lines between the squares.
    axes.set_xticks([column + 0.5 for column in range(frame.shape[1] - 1)], minor=True)
    axes.set_yticks([row + 0.5 for row in range(len(frame) - 1)], minor=True)
    axes.grid(which="minor", color="white", linewidth=1.2)
    axes.tick_params(which="minor", length=0)
    if title:
        axes.set_title(title, loc="left", fontsize=10)


def _size_text(frame: pd.DataFrame) -> str:
    rows, columns = frame.shape
    return f"{count_text(rows, 'row')} by {count_text(columns, 'column')}"
