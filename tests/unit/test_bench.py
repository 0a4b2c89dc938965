"""Wake-ups read and counted, and the curves they become."""

import pandas as pd
import pytest

from labkit.bench import latency_summary, parse_wakeups
from labkit.errors import TuningError
from labkit.plots import clocks, ecdf, memory


def test_wake_ups_become_numbers_and_changes_of_processor_are_counted():
    run = parse_wakeups("1000 0 7\n2000 1 7\n3000 1 8\n4000 0 8\n")
    row = latency_summary({"a": run}).loc["a"]
    assert (row["p50"], row["max"]) == (2.5, 4.0)
    assert (row["CPU changes"], row["CPUs"], row["threads"]) == (2, 2, 2)


@pytest.mark.parametrize("text", ["", "panic: no", "1 2\n"])
def test_what_is_no_wake_up_is_refused(text):
    with pytest.raises(TuningError):
        parse_wakeups(text)


def test_the_new_plots_have_labelled_axes_and_say_in_words_what_they_show():
    samples = pd.DataFrame({"label": ["a", "a"], "seconds": [0.0, 1.0], "khz": [1500000, 2400000]})
    drawn = clocks(samples, emulated=True, load=(0.2, 0.6), span=(1_500_000, 2_400_000))
    assert "a: 1500 to 2400 MHz" in drawn.alt
    assert drawn.figure.axes[0].get_xlabel() == "time (s)"
    frame = pd.DataFrame({"label": ["a", "a"], "seconds": [0.0, 1.0], "mib": [4.0, 60.0]})
    drawn = memory(frame, emulated=True, limits={"MemoryMax": 64.0}, killed={"a"})
    assert "a: at most 60 MiB, then killed. MemoryMax: 64 MiB." in drawn.alt
    assert drawn.figure.axes[0].get_ylabel() == "memory (MiB)"
    drawn = ecdf(
        pd.DataFrame({"label": "a", "value": [1.0, 2.0, 4.0]}), axis="late by (ms)", emulated=True
    )
    assert "a: half at most 2, all at most 4." in drawn.alt
    assert drawn.figure.axes[0].get_xscale() == "log"
    assert any("emulated" in text.get_text() for text in drawn.figure.texts)
