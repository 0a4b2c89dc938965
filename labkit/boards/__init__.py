"""Reaching a machine: what a board is, the ways to one, and which ones the user has."""

from labkit.boards.board import Board, Machine
from labkit.boards.facts import Facts
from labkit.boards.opener import board_maker, open_board
from labkit.boards.result import Result
from labkit.boards.transport import Ended, Transport

__all__ = [
    "Board",
    "Ended",
    "Facts",
    "Machine",
    "Result",
    "Transport",
    "board_maker",
    "open_board",
]
