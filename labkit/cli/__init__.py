"""The ``labkit`` command: its groups, and how it reports an error."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from labkit.cli import boards, doctor, go, image, run
from labkit.cli.console import echo
from labkit.errors import LabError

__all__ = ["app", "main"]

EXIT_CODES = """\
Exit codes: 0 success; 1 a notebook or a check failed, or something is missing; 2 the command
line is wrong; 3 a board, an image or a file prevents the command, and the message names the
next step; 130 stopped by Ctrl-C. `board run` returns the exit code of the command on the
board."""

app = typer.Typer(
    help="Test statements about Go on ARMv8 on a real arm64 board.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(boards.app, name="board")
app.add_typer(image.app, name="image")
app.add_typer(go.app, name="go")
app.command("doctor")(doctor.doctor)
app.command("run")(run.run)


def _print_version(requested: bool) -> None:
    if requested:
        import labkit

        print(f"labkit {labkit.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line. A :class:`LabError` is printed as one line, with exit code 3."""
    try:
        app()
    except LabError as error:
        echo(f"labkit: {error}", file=sys.stderr)
        sys.exit(3)
    except KeyboardInterrupt:
        echo("labkit: stopped", file=sys.stderr)
        sys.exit(130)
