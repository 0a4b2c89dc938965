"""Measuring on a board: loads, wake-up latencies, memory over time."""

from labkit.bench.memory import Allocation, allocate

__all__ = ["Allocation", "allocate"]
