"""Cumulative curves: each value adds one share, and each run has its own colour and style."""

import pandas as pd
import pytest

from labkit.display import EMULATED_NOTE
from labkit.plots import ecdf

SETTINGS = ["none", "lock", "two CPUs", "one CPU", "FIFO", "isolated"]


def plot_six(emulated=True):
    frame = pd.concat(
        pd.DataFrame({"label": name, "value": [4.0 * (i + 1), 1.0, 2.0, 3.0]})
        for i, name in enumerate(SETTINGS)
    )
    return ecdf(frame, axis="late by (ms)", emulated=emulated)


def test_a_curve_climbs_by_one_share_a_value_and_ends_at_the_largest():
    (axes,) = plot_six().figure.axes
    first, second, *_ = axes.lines
    assert first.get_xydata().tolist() == [[1, 0.25], [2, 0.5], [3, 0.75], [4, 1]]
    assert second.get_xydata().tolist()[-1] == [8, 1]


def test_six_runs_differ_in_colour_and_in_style_and_are_named():
    (axes,) = plot_six().figure.axes
    assert len({line.get_color() for line in axes.lines}) == 6
    # Dashes as they are drawn: a style may have two spellings.
    assert len({str(line._unscaled_dash_pattern) for line in axes.lines}) == 6
    assert [text.get_text() for text in axes.get_legend().get_texts()] == SETTINGS


def test_the_axes_are_labelled_and_the_alternative_text_has_the_numbers():
    plot = plot_six()
    (axes,) = plot.figure.axes
    assert (axes.get_xlabel(), axes.get_xscale()) == ("late by (ms)", "log")
    assert axes.get_ylabel() == "share of the wake-ups"
    assert "lock: half at most 2, all at most 8." in plot.alt
    assert plot.png()[:4] == b"\x89PNG"


@pytest.mark.parametrize("largest", [2.0, 9.0, 500.0])
def test_the_numbers_of_the_axis_are_no_powers_of_ten(largest):
    frame = pd.DataFrame({"label": "a", "value": [0.3, 1.0, largest]})
    (axes,) = ecdf(frame, axis="late by (ms)", emulated=False).figure.axes
    axes.figure.draw_without_rendering()
    texts = [text.get_text() for text in axes.get_xticklabels(which="both")]
    assert {"0.5", "1", "2"} <= set(texts)
    assert not any("10^" in text for text in texts)


def test_three_values_have_the_second_as_their_median():
    frame = pd.DataFrame({"label": "a", "value": [1.0, 2.0, 4.0]})
    plot = ecdf(frame, axis="late by (ms)", emulated=True)
    assert "a: half at most 2, all at most 4." in plot.alt


@pytest.mark.parametrize("emulated", [True, False])
def test_only_measurements_of_an_emulated_board_are_marked(emulated, figure_texts):
    assert (EMULATED_NOTE in figure_texts(plot_six(emulated))) is emulated


def test_a_value_of_zero_is_drawn_at_the_low_end_of_the_logarithmic_axis():
    frame = pd.DataFrame({"label": "a", "value": [0.0, 1.0]})
    (axes,) = ecdf(frame, axis="late by (ms)", emulated=False).figure.axes
    (line,) = axes.lines
    assert line.get_xydata()[0].tolist() == [1e-3, 0.5]
