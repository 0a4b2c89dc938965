"""The plot of memory over time: lines, limits, and where a run was killed."""

import pandas as pd
import pytest

from labkit.plots import memory
from labkit.plots.plot import EMULATED


def samples():
    killed = {"label": "max", "seconds": [0.0, 1, 2, 2.2], "mib": [0.0, 64, 128, 0.1]}
    slowed = {"label": "high", "seconds": [0.0, 2, 8], "mib": [0.0, 128, 140]}
    return pd.concat([pd.DataFrame(killed), pd.DataFrame(slowed)])


@pytest.fixture
def picture():
    return memory(samples(), limits={"MemoryMax": 128}, killed={"max"}, emulated=True)


def words(picture):
    from matplotlib.text import Text

    return [text.get_text() for text in picture.figure.findobj(Text)]


def test_each_run_is_a_line_of_its_own_colour_and_style(picture):
    (axes,) = picture.figure.axes
    first, second = (line for line in axes.lines if line.get_label() in ("max", "high"))
    assert first.get_xydata().tolist() == [[0, 0], [1, 64], [2, 128], [2.2, 0.1]]
    assert second.get_xydata().tolist() == [[0, 0], [2, 128], [8, 140]]
    assert first.get_color() != second.get_color()
    assert first.get_linestyle() != second.get_linestyle()
    assert {"max", "high", "memory (MiB)", "time (s)"} <= set(words(picture))


def test_a_killed_run_has_its_cross_where_it_ended_and_not_where_its_memory_was_gone(picture):
    crosses = [line for line in picture.figure.axes[0].lines if line.get_marker() == "X"]
    assert [line.get_xydata().tolist() for line in crosses] == [[[2, 128]]]


def test_a_limit_is_drawn_across_and_named(picture):
    levels = [line.get_ydata() for line in picture.figure.axes[0].lines]
    assert [128, 128] in [list(level) for level in levels]
    assert "MemoryMax 128 MiB" in words(picture)


def test_its_text_tells_the_numbers_that_are_drawn(picture):
    assert picture.alt == (
        "Memory over 8 s. max: at most 128 MiB, then killed. high: at most 140 MiB. "
        "MemoryMax: 128 MiB."
    )


def test_measurements_of_an_emulated_board_are_marked(picture):
    assert picture.png()[:8] == b"\x89PNG\r\n\x1a\n"
    assert EMULATED in words(picture)
    assert EMULATED not in words(memory(samples(), emulated=False))
