"""How late a program wakes up: its samples read, and put into a few numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from labkit.errors import TuningError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["latency_summary", "parse_wakeups"]


def parse_wakeups(text: str) -> pd.DataFrame:
    """The wake-ups a program printed, a line each: microseconds late, processor, thread id.

    Columns: ``late_us``, ``cpu``, ``thread``. Raises :class:`TuningError` where a line is none.

    >>> list(parse_wakeups("120 0 7\\n80 1 7\\n")["late_us"])
    [120, 80]
    """
    import pandas as pd

    lines = text.splitlines() or [""]
    for line in lines:
        if not re.fullmatch(r"-?\d+ \d+ \d+", line):
            raise TuningError(
                f"a wake-up reads {line!r}",
                expected="three whole numbers: microseconds late, processor, thread",
            )
    rows = [[int(word) for word in line.split()] for line in lines]
    return pd.DataFrame(rows, columns=["late_us", "cpu", "thread"])


def latency_summary(runs: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Some numbers of each run, a row a run.

    Columns: ``p50``, ``p99`` and ``max`` of the lateness in milliseconds; ``CPU changes``
    between one wake-up and the next; ``CPUs`` and ``threads`` that were seen.

    >>> one = parse_wakeups("1000 0 7\\n3000 1 7\\n2000 1 7\\n")
    >>> latency_summary({"a": one}).loc["a"].to_dict()["CPU changes"]
    1
    """
    import pandas as pd

    rows = {}
    for label, run in runs.items():
        late = run["late_us"] / 1000
        rows[label] = {
            "p50": round(float(late.quantile(0.5)), 2),
            "p99": round(float(late.quantile(0.99)), 2),
            "max": round(float(late.max()), 2),
            "CPU changes": int((run["cpu"].diff().iloc[1:] != 0).sum()),
            "CPUs": int(run["cpu"].nunique()),
            "threads": int(run["thread"].nunique()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").astype(
        {"CPU changes": object, "CPUs": object, "threads": object}
    )
