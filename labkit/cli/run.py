"""``labkit run``: notebooks in batch, on one board."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["run"]


def run(
    notebooks: Annotated[
        list[str] | None,
        typer.Argument(help="Files, or sections such as 2.2. None: the whole guide."),
    ] = None,
    platform: Annotated[str, typer.Option(help="The kind of board.")] = "debian-12",
    board: Annotated[str, typer.Option(help="A board of that kind; else a virtual one.")] = "",
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", help="NAME=VALUE for the notebooks.")
    ] = None,
    results: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("results"),
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first failure.")
    ] = False,
    keep_board: Annotated[
        bool, typer.Option("--keep-board", help="Leave the virtual board up afterwards.")
    ] = False,
) -> None:
    """Run notebooks on a board, each from a fresh start; what came of it goes to results/."""
    # Only here: papermill takes a second to import.
    from labkit.guide import run_guide

    sys.exit(
        run_guide(
            notebooks or (),
            platform,
            board,
            parameter or (),
            results,
            fail_fast=fail_fast,
            keep_board=keep_board,
        )
    )
