"""``labkit run``: run notebooks in batch on one board."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["run"]


def run(
    notebooks: Annotated[
        list[str] | None,
        typer.Argument(help="Files, directories, or sections such as 2.2. Default: all notebooks."),
    ] = None,
    platform: Annotated[str, typer.Option(help="The platform of the board.")] = "debian-12",
    board: Annotated[
        str, typer.Option(help="The name of a board of that platform. Default: a virtual one.")
    ] = "",
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", help="Set a notebook parameter, as NAME=VALUE."),
    ] = None,
    results: Annotated[Path, typer.Option(help="The directory to write to.")] = Path("results"),
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first notebook that fails.")
    ] = False,
    keep_board: Annotated[
        bool, typer.Option("--keep-board", help="Leave the virtual board running.")
    ] = False,
) -> None:
    """Run notebooks on a board and write the results. A virtual board is reset before each."""
    # Imported here: papermill takes a second to import.
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
