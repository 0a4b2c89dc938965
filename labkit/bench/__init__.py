"""Measurements on a board: wake-up latency, and memory over time."""

from labkit.bench.memory import Allocation, allocate, source
from labkit.bench.wakeup import latency_summary, parse_wakeups

__all__ = ["Allocation", "allocate", "latency_summary", "parse_wakeups", "source"]
