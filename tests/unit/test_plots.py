"""Plots: a PNG comes out, and the alternative text tells the numbers that are drawn."""

import math
import struct

import pandas as pd
import pytest

from labkit.plots import bars, category_grid, heatmap, histogram, timeline, waterfall
from labkit.plots.plot import EMULATED

SIZES = pd.DataFrame({"hello": [2.34, 1.5], "server": [9.1, 6.0]}, index=["plain", "-s -w"])


def words(picture):
    """All text in a figure."""
    from matplotlib.text import Text

    return [text.get_text() for text in picture.figure.findobj(Text)]


def slices():
    rows = {
        "goroutine": [0, 1, 1],
        "cpu": [0, 1, 0],
        "start_ms": [0.0, 1, 5],
        "end_ms": [4.0, 5, 9],
    }
    return pd.DataFrame(rows)


PICTURES = {
    "bars": lambda emulated: bars(SIZES, label="size (MB)", emulated=emulated, form="{:.1f}"),
    "waterfall": lambda emulated: waterfall(
        pd.Series({"plain": 9, "-w": 7, "+x": 8}), label="size (MB)", emulated=emulated
    ),
    "heatmap": lambda emulated: heatmap(SIZES, label="size (MB)", emulated=emulated),
    "histogram": lambda emulated: histogram(
        {"lock": [1.0, 2, 9], "spin": [4.0]}, label="delay (ms)", emulated=emulated
    ),
    "timeline": lambda emulated: timeline(slices(), emulated=emulated),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_png_as_wide_as_a_notebook_comes_out(name):
    png = PICTURES[name](emulated=True).png()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    assert width == 850
    assert 100 < height < 1000


@pytest.mark.parametrize("name", PICTURES)
def test_measurements_of_an_emulated_board_are_marked(name):
    assert EMULATED in words(PICTURES[name](emulated=True))
    assert EMULATED not in words(PICTURES[name](emulated=False))


def test_it_shows_itself_with_its_words_safe_in_html():
    frame = pd.DataFrame({"a<b": [1]}, index=['"x"'])
    picture = bars(frame, label="n", emulated=False)
    html = picture._repr_html_()
    assert 'alt="Bars of n. &quot;x&quot;: a&lt;b 1."' in html
    assert 'src="data:image/png;base64,iVBOR' in html
    assert str(picture) == '[picture] Bars of n. "x": a<b 1.'


def test_bars_are_as_long_as_their_numbers_and_say_them():
    picture = bars(SIZES, label="size (MB)", emulated=False, form="{:.1f}", title="Sizes")
    (axes,) = picture.figure.axes
    lengths = [[bar.get_width() for bar in each] for each in axes.containers]
    assert lengths == [[2.34, 1.5], [9.1, 6.0]]
    assert picture.alt == (
        "Bars of size (MB). plain: hello 2.3, server 9.1; -s -w: hello 1.5, server 6.0."
    )
    for word in ("2.3", "9.1", "hello", "server", "plain", "size (MB)", "Sizes"):
        assert word in words(picture)


def test_one_kind_of_bar_needs_no_legend():
    picture = bars(SIZES[["hello"]], label="MB", emulated=False)
    assert picture.figure.axes[0].get_legend() is None


def test_a_waterfall_tells_each_step():
    picture = PICTURES["waterfall"](emulated=False)
    assert picture.alt == "Waterfall of size (MB): plain 9, -w 7 (-2), +x 8 (+1)."
    assert "7\n(-2)" in words(picture)


def test_a_grid_leaves_missing_numbers_out_and_says_so():
    frame = pd.DataFrame({"v8.0": [4, 1], "v8.1": [math.nan, 2]}, index=["Add", "Swap"])
    frame.index.name = "operation"
    picture = heatmap(frame, label="instructions", emulated=False)
    assert picture.alt == (
        "Grid of instructions, 2 rows by 2 columns. Add: v8.0 4, v8.1 none; Swap: v8.0 1, v8.1 2."
    )
    assert "nan" not in words(picture)
    assert "operation" in words(picture)


@pytest.mark.parametrize("value", [0, 7, -1])
def test_a_grid_of_one_and_the_same_number_is_drawn(value):
    frame = pd.DataFrame({"a": [value, value]}, index=["x", "y"])
    assert heatmap(frame, label="n", emulated=False).png()


def test_a_truth_table_has_a_colour_and_a_meaning_a_word():
    seen = pd.DataFrame(
        {"1.21": ["refused", "built"], "1.27": ["built", "built"]}, index=["8", "7"]
    )
    meaning = {"built": "status 0", "refused": "status 2"}
    picture = category_grid(seen, meaning=meaning, label="what go build said", title="GOARM")
    assert picture.png()
    assert picture.alt == (
        "Grid of what go build said, 2 rows by 2 columns. "
        "8: 1.21 refused, 1.27 built; 7: 1.21 built, 1.27 built."
    )
    said = words(picture)
    assert said.count("built") == 3
    assert "refused: status 2" in said
    (image,) = picture.figure.axes[0].images
    colours = image.to_rgba(image.get_array())
    assert (colours[0, 1] == colours[1, 0]).all()
    assert (colours[0, 0] != colours[0, 1]).any()


def test_all_six_words_of_a_truth_table_have_their_own_colour():
    names = ["a", "b", "c", "d", "e", "f"]
    frame = pd.DataFrame([names], columns=names, index=["row"])
    picture = category_grid(frame, meaning=dict.fromkeys(names, "x"), label="n")
    (image,) = picture.figure.axes[0].images
    drawn = {tuple(colour) for colour in image.to_rgba(image.get_array())[0].tolist()}
    legend = {patch.get_facecolor() for patch in picture.figure.axes[0].get_legend().get_patches()}
    assert len(drawn) == 6
    assert drawn == legend


def test_histograms_share_their_axis_and_count_every_value():
    samples = {"lock": [1.0, 2, 2, 9], "spin": [4.0, 5.5]}
    picture = histogram(samples, label="delay (ms)", emulated=False, bins=8, marks={"one tick": 4})
    assert picture.alt == (
        "Histograms of delay (ms). lock: 4 values, median 2, from 1 to 9; "
        "spin: 2 values, median 4.75, from 4 to 5.5."
    )
    first, second = picture.figure.axes
    assert first.get_xlim() == second.get_xlim()
    for pane, values in zip((first, second), samples.values(), strict=True):
        assert sum(bar.get_height() for bar in pane.patches) == len(values)
    assert " one tick" in words(picture)
