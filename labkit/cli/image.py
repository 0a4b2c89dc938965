"""``labkit image``: the images that virtual boards start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labkit import platforms
from labkit.cli.console import echo
from labkit.cli.tables import print_table
from labkit.errors import VirtualError
from labkit.virtual import archive, ensure_image, images, machines

__all__ = ["app"]

app = typer.Typer(
    help="Build, list, copy and remove the images of virtual boards.", no_args_is_help=True
)

Platform = Annotated[str, typer.Argument(help="A platform, such as debian-12.")]


@app.command()
def build(
    platform: Platform,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Build it also where it exists.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", hidden=True)] = False,
) -> None:
    """Build a platform's image where it does not exist yet."""
    # --again is the earlier name of --rebuild.
    image = ensure_image(platforms.get(platform), rebuild=rebuild or again)
    echo(f"{image.directory}, {image.size / 2**20:.0f} MiB\nNext: labkit board up {platform}")


@app.command("list")
def list_images() -> None:
    """List the images on this machine."""
    rows = [
        (
            image.platform,
            image.release,
            image.built.replace("T", " ")[:16],
            f"{image.size / 2**20:.0f} MiB",
            "yes" if image.current else "no, an older recipe",
        )
        for image in images.images()
    ]
    print_table(("platform", "kernel", "built (UTC)", "size", "in use"), rows)


@app.command()
def export(
    platform: Platform,
    file: Annotated[Path, typer.Argument(help="The file to write, such as debian-12.labimage.")],
) -> None:
    """Write a platform's image into one file, to copy it to another machine.

    The file's sha256 is written beside it. The file holds the private keys of that virtual
    board; no other board accepts them.
    """
    archive.export(platforms.get(platform), file)
    echo(f"{file}, {file.stat().st_size / 2**20:.0f} MiB, and {file.name}.sha256")
    echo(f"Next: copy both to the other machine, then run there: labkit image import {file.name}")


@app.command("import")
def import_image(
    file: Annotated[Path, typer.Argument(help="A file that `labkit image export` wrote.")],
) -> None:
    """Import an exported image. Its sha256 sums are checked."""
    image = archive.import_file(file)
    echo(f"{image.directory}\nNext: labkit board up {image.platform}")


@app.command()
def remove(platform: Platform) -> None:
    """Remove a platform's images. They can be built again."""
    in_use = [machine.name for machine in machines() if machine.name.partition("@")[0] == platform]
    if in_use:
        raise VirtualError(
            f"{', '.join(in_use)} uses this image", hint=f"labkit board down {in_use[0]}"
        )
    for image in images.remove(platforms.get(platform)):
        echo(f"removed {image.directory}")
