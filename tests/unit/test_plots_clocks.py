"""The plot of processor clocks over time."""

import pandas as pd

from labkit.display import EMULATED_NOTE
from labkit.plots import clocks


def test_clocks_have_labelled_axes_and_their_range_in_the_alternative_text(figure_texts):
    samples = pd.DataFrame({"label": ["a", "a"], "seconds": [0.0, 1.0], "khz": [1500000, 2400000]})
    plot = clocks(samples, emulated=True, load=(0.2, 0.6), khz_range=(1_500_000, 2_400_000))
    assert "a: 1500 to 2400 MHz" in plot.alt
    assert plot.figure.axes[0].get_xlabel() == "time (s)"
    assert {"clock (MHz)", " under load", EMULATED_NOTE} <= set(figure_texts(plot))


def test_each_series_has_a_panel_with_the_range_that_was_asked_for():
    samples = pd.DataFrame({"label": ["a", "b"], "seconds": [0.0, 1.0], "khz": [1800000, 2000000]})
    plot = clocks(samples, emulated=False, khz_range=(600_000, 2_400_000))
    assert plot.alt == "Clock over 1 s. a: 1800 to 1800 MHz. b: 2000 to 2000 MHz."
    for panel, label in zip(plot.figure.axes, "ab", strict=True):
        low, high = panel.get_ylim()
        assert (low < 600, high > 2400) == (True, True)
        assert panel.get_title(loc="left") == label
