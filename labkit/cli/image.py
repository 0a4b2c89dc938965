"""``labkit image``: what virtual boards are made from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labkit import platforms
from labkit.cli.console import say
from labkit.cli.tables import show
from labkit.errors import VirtualError
from labkit.virtual import archive, ensure_image, images, machines

__all__ = ["app"]

app = typer.Typer(help="What virtual boards are made from.", no_args_is_help=True)

Platform = Annotated[str, typer.Argument(help="debian-12, ubuntu-22.04, ...")]


@app.command()
def build(
    platform: Platform,
    again: Annotated[bool, typer.Option(help="Even where there is one already.")] = False,
) -> None:
    """Build a platform's image, if it is not there."""
    image = ensure_image(platforms.get(platform), anew=again)
    say(f"{image.directory}, {image.size / 2**20:.0f} MiB\nNext: labkit board up {platform}")


@app.command("list")
def list_images() -> None:
    """The images on this machine."""
    rows = [
        (
            image.platform,
            image.release,
            image.built.replace("T", " ")[:16],
            f"{image.size / 2**20:.0f} MiB",
            "yes" if images.find(platforms.get(image.platform)) == image else "no, an older recipe",
        )
        for image in images.images()
    ]
    show(("platform", "kernel", "built (UTC)", "size", "in use"), rows)


@app.command()
def export(
    platform: Platform,
    file: Annotated[Path, typer.Argument(help="What to write, such as debian-12.labimage.")],
) -> None:
    """Write an image into one file, and its sha256 beside it, for another machine.

    It holds the keys of that virtual board; they open no other.
    """
    archive.export(platforms.get(platform), file)
    say(f"{file}, {file.stat().st_size / 2**20:.0f} MiB, and {file.name}.sha256")
    say(f"Next: copy both, then there: labkit image import {file.name}")


@app.command("import")
def import_image(
    file: Annotated[Path, typer.Argument(help="A file that image export wrote.")],
) -> None:
    """Take an exported image in, checked against its sums."""
    image = archive.import_file(file)
    say(f"{image.directory}\nNext: labkit board up {image.platform}")


@app.command()
def remove(platform: Platform) -> None:
    """Remove a platform's images. They can be built again."""
    in_use = [machine.name for machine in machines() if machine.name.startswith(platform)]
    if in_use:
        raise VirtualError(
            f"{', '.join(in_use)} runs on this image", hint=f"labkit board down {in_use[0]}"
        )
    for image in images.remove(platforms.get(platform)):
        say(f"removed {image.directory}")
