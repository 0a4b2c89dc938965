"""Go programs: built for a board, run on it, and the cell magic ``%%go``."""
