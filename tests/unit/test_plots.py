"""Plots: each is a PNG as wide as a notebook, and its alternative text has the drawn numbers."""

import math
import struct

import pandas as pd
import pytest

from labkit.display import EMULATED_NOTE
from labkit.plots import barh, category_grid, heatmap, histogram, timeline, waterfall

SIZES = pd.DataFrame({"hello": [2.34, 1.5], "server": [9.1, 6.0]}, index=["plain", "-s -w"])
SLICES = pd.DataFrame(
    {"goroutine": [0, 1, 1], "cpu": [0, 1, 0], "start_ms": [0.0, 1, 5], "end_ms": [4.0, 5, 9]}
)
PLOTS = {
    "barh": lambda emulated: barh(SIZES, label="size (MB)", emulated=emulated, fmt="{:.1f}"),
    "waterfall": lambda emulated: waterfall(
        pd.Series({"plain": 9, "-w": 7, "+x": 8}), label="size (MB)", emulated=emulated
    ),
    "heatmap": lambda emulated: heatmap(SIZES, label="size (MB)", emulated=emulated),
    "histogram": lambda emulated: histogram(
        {"lock": [1.0, 2, 9], "spin": [4.0]}, label="delay (ms)", emulated=emulated
    ),
    "timeline": lambda emulated: timeline(SLICES, emulated=emulated),
}


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_is_a_png_as_wide_as_a_notebook(name):
    png = PLOTS[name](emulated=True).png()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    assert width == 850
    assert 100 < height < 1000


@pytest.mark.parametrize("name", PLOTS)
def test_measurements_of_an_emulated_board_are_marked(name, figure_texts):
    assert EMULATED_NOTE in figure_texts(PLOTS[name](emulated=True))
    assert EMULATED_NOTE not in figure_texts(PLOTS[name](emulated=False))


def test_a_plot_displays_itself_with_its_alternative_text_escaped_for_html():
    frame = pd.DataFrame({"a<b": [1]}, index=['"x"'])
    plot = barh(frame, label="n", emulated=False)
    html = plot._repr_html_()
    assert 'alt="Bars of n. &quot;x&quot;: a&lt;b 1."' in html
    assert 'src="data:image/png;base64,iVBOR' in html
    assert str(plot) == '[picture] Bars of n. "x": a<b 1.'


def test_bars_are_as_long_as_their_numbers_and_labelled_with_them(figure_texts):
    plot = barh(SIZES, label="size (MB)", emulated=False, fmt="{:.1f}", title="Sizes")
    (axes,) = plot.figure.axes
    lengths = [[bar.get_width() for bar in container] for container in axes.containers]
    assert lengths == [[2.34, 1.5], [9.1, 6.0]]
    assert plot.alt == (
        "Bars of size (MB). plain: hello 2.3, server 9.1; -s -w: hello 1.5, server 6.0."
    )
    for text in ("2.3", "9.1", "hello", "server", "plain", "size (MB)", "Sizes"):
        assert text in figure_texts(plot)


def test_bars_of_a_single_column_have_no_legend():
    plot = barh(SIZES[["hello"]], label="MB", emulated=False)
    assert plot.figure.axes[0].get_legend() is None


def test_a_waterfall_names_each_step_with_its_change(figure_texts):
    plot = PLOTS["waterfall"](emulated=False)
    assert plot.alt == "Waterfall of size (MB): plain 9, -w 7 (-2), +x 8 (+1)."
    assert "7\n(-2)" in figure_texts(plot)


def test_the_bars_of_a_waterfall_begin_where_the_step_before_ended():
    (axes,) = PLOTS["waterfall"](emulated=False).figure.axes
    bars = [(bar.get_x(), bar.get_y(), bar.get_height()) for bar in axes.patches]
    changes = [(y, height) for x, y, height in bars if y or x < 0]
    assert changes == [(0, 9), (9, -2), (7, 1)]


def test_a_heatmap_leaves_missing_numbers_out_and_says_so(figure_texts):
    frame = pd.DataFrame({"v8.0": [4, 1], "v8.1": [math.nan, 2]}, index=["Add", "Swap"])
    frame.index.name = "operation"
    plot = heatmap(frame, label="instructions", emulated=False)
    assert plot.alt == (
        "Grid of instructions, 2 rows by 2 columns. Add: v8.0 4, v8.1 none; Swap: v8.0 1, v8.1 2."
    )
    assert "nan" not in figure_texts(plot)
    assert "operation" in figure_texts(plot)


@pytest.mark.parametrize("value", [0, 7, -1])
def test_a_heatmap_of_equal_numbers_is_drawn(value):
    frame = pd.DataFrame({"a": [value, value]}, index=["x", "y"])
    assert heatmap(frame, label="n", emulated=False).png()


def test_a_category_grid_has_a_colour_and_a_legend_entry_for_each_category(figure_texts):
    frame = pd.DataFrame(
        {"1.21": ["refused", "built"], "1.27": ["built", "built"]}, index=["8", "7"]
    )
    legend = {"built": "status 0", "refused": "status 2"}
    plot = category_grid(frame, legend=legend, label="what go build said", title="GOARM")
    assert plot.png()
    assert plot.alt == (
        "Grid of what go build said, 2 rows by 2 columns. "
        "8: 1.21 refused, 1.27 built; 7: 1.21 built, 1.27 built."
    )
    texts = figure_texts(plot)
    assert texts.count("built") == 3
    assert "refused: status 2" in texts
    (image,) = plot.figure.axes[0].images
    colours = image.to_rgba(image.get_array())
    assert (colours[0, 1] == colours[1, 0]).all()
    assert (colours[0, 0] != colours[0, 1]).any()


def test_all_six_categories_of_a_grid_have_their_own_colour():
    names = ["a", "b", "c", "d", "e", "f"]
    frame = pd.DataFrame([names], columns=names, index=["row"])
    plot = category_grid(frame, legend=dict.fromkeys(names, "x"), label="n")
    (image,) = plot.figure.axes[0].images
    drawn = {tuple(colour) for colour in image.to_rgba(image.get_array())[0].tolist()}
    legend = {patch.get_facecolor() for patch in plot.figure.axes[0].get_legend().get_patches()}
    assert len(drawn) == 6
    assert drawn == legend


def test_histograms_share_their_axis_and_count_every_value(figure_texts):
    samples = {"lock": [1.0, 2, 2, 9], "spin": [4.0, 5.5]}
    plot = histogram(samples, label="delay (ms)", emulated=False, bins=8, marks={"one tick": 4})
    assert plot.alt == (
        "Histograms of delay (ms). lock: 4 values, median 2, from 1 to 9; "
        "spin: 2 values, median 4.75, from 4 to 5.5."
    )
    first, second = plot.figure.axes
    assert first.get_xlim() == second.get_xlim()
    for panel, values in zip((first, second), samples.values(), strict=True):
        assert sum(bar.get_height() for bar in panel.patches) == len(values)
    assert " one tick" in figure_texts(plot)
