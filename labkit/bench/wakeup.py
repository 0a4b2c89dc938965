"""Wake-up latency: how late a program wakes up, read from its output and summarized."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from labkit.errors import BenchError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["latency_summary", "parse_wakeups"]


def parse_wakeups(text: str) -> pd.DataFrame:
    """Parse the output of a wake-up program: one line for each wake-up, three integers.

    They are the microseconds that it came late, the processor and the thread id. They become
    the columns ``late_us``, ``cpu`` and ``thread``. Raises :class:`BenchError` for any other
    line, and for an empty output.

    >>> list(parse_wakeups("120 0 7\\n80 1 7\\n")["late_us"])
    [120, 80]
    """
    import pandas as pd

    lines = text.splitlines() or [""]
    for line in lines:
        if not re.fullmatch(r"-?\d+ \d+ \d+", line):
            raise BenchError(
                f"a wake-up line is {line!r}",
                expected="three integers: microseconds late, processor, thread id",
            )
    rows = [[int(field) for field in line.split()] for line in lines]
    return pd.DataFrame(rows, columns=["late_us", "cpu", "thread"])


def latency_summary(runs: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Summarize runs of a wake-up program, one row for each run.

    ``runs`` are the frames of :func:`parse_wakeups` by label. Columns of the result: ``p50``,
    ``p99`` and ``max`` of the lateness in milliseconds; ``CPU changes``, how often a wake-up came
    on another processor than the one before; ``CPUs`` and ``threads``, how many there were.

    >>> run = parse_wakeups("1000 0 7\\n3000 1 7\\n2000 1 7\\n")
    >>> latency_summary({"lock": run}).T["lock"].to_dict()
    {'p50': 2.0, 'p99': 2.98, 'max': 3.0, 'CPU changes': 1, 'CPUs': 2, 'threads': 1}
    """
    import pandas as pd

    rows: dict[str, dict[str, float]] = {}
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
