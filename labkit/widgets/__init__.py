"""Panels to turn the knobs of a board: thin views over tuning and bench objects."""
