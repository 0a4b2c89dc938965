"""The plot of memory over time: lines, limits, and where a run was killed."""

import pandas as pd
import pytest

from labkit.display import EMULATED_NOTE
from labkit.plots import memory

KILLED = pd.DataFrame(
    {"label": "max", "seconds": [0.0, 1, 2, 2.1, 2.2], "mib": [0.0, 64, 128, 84, 0.1]}
)
SLOWED = pd.DataFrame({"label": "high", "seconds": [0.0, 2, 8], "mib": [0.0, 128, 140]})
SAMPLES = pd.concat([KILLED, SLOWED])


@pytest.fixture
def plot():
    return memory(SAMPLES, limits={"MemoryMax": 128}, killed={"max"}, emulated=True)


def crosses(plot):
    lines = [line for line in plot.figure.axes[0].lines if line.get_marker() == "X"]
    return [line.get_xydata().tolist() for line in lines]


def test_each_run_is_a_line_of_its_own_colour_and_style(plot, figure_texts):
    (axes,) = plot.figure.axes
    first, second = (line for line in axes.lines if line.get_label() in ("max", "high"))
    assert first.get_xydata().tolist() == [[0, 0], [1, 64], [2, 128], [2.1, 84], [2.2, 0.1]]
    assert second.get_xydata().tolist() == [[0, 0], [2, 128], [8, 140]]
    assert first.get_color() != second.get_color()
    assert first.get_linestyle() != second.get_linestyle()
    assert {"max", "high"} <= set(figure_texts(plot))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (s)", "memory (MiB)")


def test_a_killed_run_has_its_cross_where_it_ended_and_not_where_its_memory_was_gone(plot):
    assert crosses(plot) == [[[2, 128]]]


def test_a_run_killed_before_it_had_any_memory_has_its_cross_too():
    frame = pd.DataFrame({"label": "a", "seconds": [0.0], "mib": [0.0]})
    plot = memory(frame, killed={"a"}, emulated=False)
    assert crosses(plot) == [[[0, 0]]]
    assert plot.alt == "Memory over 0 s. a: at most 0 MiB, then killed."


def test_a_limit_is_drawn_across_and_named(plot, figure_texts):
    levels = [line.get_ydata() for line in plot.figure.axes[0].lines]
    assert [128, 128] in [list(level) for level in levels]
    assert "MemoryMax 128 MiB" in figure_texts(plot)


def test_the_alternative_text_has_the_numbers_that_are_drawn(plot):
    assert plot.alt == (
        "Memory over 8 s. max: at most 128 MiB, then killed. high: at most 140 MiB. "
        "MemoryMax: 128 MiB."
    )


def test_a_limit_follows_the_run_that_it_applied_to():
    frame = pd.DataFrame({"label": ["a", "a"], "seconds": [0.0, 1.0], "mib": [4.0, 60.0]})
    plot = memory(frame, emulated=True, limits={"MemoryMax": 64.0}, killed={"a"})
    assert "a: at most 60 MiB, then killed. MemoryMax: 64 MiB." in plot.alt


def test_measurements_of_an_emulated_board_are_marked(plot, figure_texts):
    assert plot.png()[:8] == b"\x89PNG\r\n\x1a\n"
    assert EMULATED_NOTE in figure_texts(plot)
    assert EMULATED_NOTE not in figure_texts(memory(SAMPLES, emulated=False))
