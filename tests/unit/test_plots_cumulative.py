"""Cumulative curves: each value has its share, and each run its own look."""

import pandas as pd
import pytest

from labkit.plots import ecdf
from labkit.plots.plot import EMULATED

SETTINGS = ["none", "lock", "two CPUs", "one CPU", "FIFO", "isolated"]


def six(emulated=True):
    frame = pd.concat(
        pd.DataFrame({"label": name, "value": [4.0 * (i + 1), 1.0, 2.0, 3.0]})
        for i, name in enumerate(SETTINGS)
    )
    return ecdf(frame, axis="late by (ms)", emulated=emulated)


def words(picture):
    from matplotlib.text import Text

    return [text.get_text() for text in picture.figure.findobj(Text)]


def test_a_curve_climbs_by_one_share_a_value_and_ends_at_the_worst():
    (axes,) = six().figure.axes
    first, second, *_ = axes.lines
    assert first.get_xydata().tolist() == [[1, 0.25], [2, 0.5], [3, 0.75], [4, 1]]
    assert second.get_xydata().tolist()[-1] == [8, 1]


def test_six_runs_differ_in_colour_and_in_style_and_are_named():
    (axes,) = six().figure.axes
    assert len({line.get_color() for line in axes.lines}) == 6
    # Dashes as they are drawn: a style may have two spellings.
    assert len({str(line._unscaled_dash_pattern) for line in axes.lines}) == 6
    assert [text.get_text() for text in axes.get_legend().get_texts()] == SETTINGS


def test_the_axes_say_what_they_measure_and_the_words_tell_the_numbers():
    picture = six()
    (axes,) = picture.figure.axes
    assert (axes.get_xlabel(), axes.get_xscale()) == ("late by (ms)", "log")
    assert axes.get_ylabel() == "share of the wake-ups"
    assert "lock: half at most 2, all at most 8." in picture.alt
    assert picture.png()[:4] == b"\x89PNG"


@pytest.mark.parametrize("emulated", [True, False])
def test_only_what_an_emulated_board_measured_is_marked(emulated):
    assert (EMULATED in words(six(emulated))) is emulated


def test_a_wake_up_that_was_not_late_has_its_place_on_the_logarithmic_axis():
    frame = pd.DataFrame({"label": "a", "value": [0.0, 1.0]})
    (axes,) = ecdf(frame, axis="late by (ms)", emulated=False).figure.axes
    (line,) = axes.lines
    assert line.get_xydata()[0].tolist() == [1e-3, 0.5]
