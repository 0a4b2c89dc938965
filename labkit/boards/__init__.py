"""Machines that labkit reaches: the board, its transports, and the user's own inventory."""

from labkit.boards.board import Board, PowerControl
from labkit.boards.facts import Facts
from labkit.boards.transport import RawResult, Request, Transport

__all__ = ["Board", "Facts", "PowerControl", "RawResult", "Request", "Transport"]
