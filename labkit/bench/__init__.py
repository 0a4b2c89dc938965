"""Measuring on a board: loads, wake-up latencies, memory over time."""

from labkit.bench.latency import latencies, read_wakeups
from labkit.bench.memory import Allocation, allocate, program_source

__all__ = ["Allocation", "allocate", "latencies", "program_source", "read_wakeups"]
