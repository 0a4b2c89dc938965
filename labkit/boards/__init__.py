"""Machines that labkit reaches: the board, its transports, and the user's own inventory."""

from labkit.boards.board import Board, Machine
from labkit.boards.facts import Facts
from labkit.boards.transport import RawResult, Transport

__all__ = ["Board", "Facts", "Machine", "RawResult", "Transport"]
