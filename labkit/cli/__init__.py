"""The ``labkit`` command: its groups, and what a user sees of an error."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from labkit.cli import boards, doctor, go, image, run
from labkit.cli.console import say
from labkit.errors import LabError

__all__ = ["app", "main"]

EXIT_CODES = """\
Exit codes: 0 done; 1 something is not well (a notebook failed, a check said no, a program is
missing); 2 the words of the command line are wrong; 3 a board, an image or a file stands in
the way, and the message says what to do; 130 ended by Ctrl-C. `board run` gives the exit
code of the command it ran."""

app = typer.Typer(
    help="Put statements about Go on ARMv8 to a real arm64 board and see what it says.",
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


def _say_version(wanted: bool) -> None:
    if wanted:
        import labkit

        print(f"labkit {labkit.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say which.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; a :class:`LabError` is one line and exit code 3."""
    try:
        app()
    except LabError as error:
        say(f"labkit: {error}", to=sys.stderr)
        sys.exit(3)
    except KeyboardInterrupt:
        say("labkit: stopped", to=sys.stderr)
        sys.exit(130)
