"""Measuring on a board: loads, wake-up latencies, memory over time."""
