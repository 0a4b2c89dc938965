"""A table of numbers or words as coloured squares, each with its value written in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labkit.plots.plot import COLOURS, Plot, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["category_grid", "heatmap"]

_PALE: dict[str, Any] = {
    "boxstyle": "round,pad=0.2",
    "facecolor": "white",
    "alpha": 0.8,
    "linewidth": 0,
}


def heatmap(
    frame: pd.DataFrame, *, label: str, emulated: bool, form: str = "{:g}", title: str = ""
) -> Plot:
    """Draw numbers as a grid: one row an index entry, one column a column, darker is less.

    ``label`` says what the numbers are, with their unit; missing numbers stay white.
    ``form`` writes them. The index's and the columns' names become the axes' labels.

    >>> import pandas as pd
    >>> counts = pd.DataFrame({"v8.0": [4], "v8.1": [1]}, index=["Add"])
    >>> heatmap(counts, label="instructions", emulated=False).alt
    'Grid of instructions, 1 row by 2 columns. Add: v8.0 4, v8.1 1.'
    """
    figure = new_figure(height=1.5 + 0.36 * len(frame), emulated=emulated)
    axes = figure.subplots()
    values = frame.astype(float).to_numpy()
    # Cividis is read alike with and without full colour vision, and in grey.
    image = axes.imshow(values, cmap="cividis", aspect="auto")
    low, high = image.get_clim()
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            if value == value:  # not for a missing one
                light = high > low and (value - low) / (high - low) > 0.55
                text = form.format(value)
                axes.text(column, row, text, ha="center", va="center", color="k" if light else "w")
    figure.colorbar(image, ax=axes, label=label)
    _frame_axes(axes, frame, title)
    said = _read(frame.map(lambda value: form.format(value) if value == value else "none"))
    return Plot(figure, f"Grid of {label}, {_size(frame)}. {said}")


def category_grid(
    frame: pd.DataFrame, *, meaning: dict[str, str], label: str, title: str = ""
) -> Plot:
    """Draw words as a grid, one colour a word, with the word in each square.

    ``meaning`` gives each word of the frame what it stands for, in the legend's order, at most
    six of them; ``label`` says what the squares tell. The word ``–`` stays pale: nothing there.

    >>> import pandas as pd
    >>> seen = pd.DataFrame({"1.21": ["refused"]}, index=["GOARM=8"])
    >>> category_grid(seen, meaning={"refused": "status 2"}, label="what go build said").alt
    'Grid of what go build said, 1 row by 1 column. GOARM=8: 1.21 refused.'
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    words = list(meaning)
    colours = ["0.93" if word == "–" else COLOURS[index] for index, word in enumerate(words)]
    figure = new_figure(height=1.7 + 0.36 * len(frame), emulated=False)
    axes = figure.subplots()
    codes = frame.map(words.index).to_numpy()
    axes.imshow(codes, cmap=ListedColormap(colours), vmin=0, vmax=len(words), aspect="auto")
    for row, line in enumerate(frame.to_numpy()):
        for column, word in enumerate(line):
            text = axes.text(column, row, word, ha="center", va="center", fontsize=8)
            text.set_bbox(_PALE)  # legible on each of the colours
    patches = [
        Patch(color=colour, label=f"{word}: {meaning[word]}")
        for word, colour in zip(words, colours, strict=True)
    ]
    axes.legend(handles=patches, loc="lower left", bbox_to_anchor=(0, 1.02), frameon=False)
    _frame_axes(axes, frame, title)
    return Plot(figure, f"Grid of {label}, {_size(frame)}. {_read(frame)}")


def _frame_axes(axes: Axes, frame: pd.DataFrame, title: str) -> None:
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


def _size(frame: pd.DataFrame) -> str:
    rows, columns = frame.shape
    return f"{rows} row{'s' * (rows != 1)} by {columns} column{'s' * (columns != 1)}"


def _read(frame: pd.DataFrame) -> str:
    """The grid as words, for those who cannot see it."""
    lines = [
        f"{name}: " + ", ".join(f"{column} {value}" for column, value in row.items())
        for name, row in frame.iterrows()
    ]
    return "; ".join(lines) + "."
