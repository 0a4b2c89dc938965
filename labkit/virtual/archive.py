"""An image as one file, to carry to another machine."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from labkit import platforms
from labkit.errors import ImageCorrupt, ImageUnknown
from labkit.files import lock, sha256_file
from labkit.platforms import Platform
from labkit.virtual import tools as programs
from labkit.virtual.images import (
    FILES,
    Image,
    find,
    images_dir,
    read_manifest,
    recipe_digest,
    require_space,
    unknown,
    write_manifest,
)

__all__ = ["export", "import_file"]


def export(platform: Platform, target: Path) -> Path:
    """Write a platform's image into one file, its sum into ``target``.sha256 beside it.

    Snapshots stay here: they belong to this machine's QEMU. The file holds the private
    keys of the virtual board, which opens to nobody but its own host; still, treat it as
    what it is. Raises :class:`ImageUnknown`, :class:`DiskFull`.
    """
    image = find(platform)
    if image is None:
        raise unknown(platform)
    image.verify(thorough=True)
    if not target.parent.is_dir():
        raise ImageUnknown(f"there is no folder {target.parent}", expected="one to write to")
    require_space(target.parent, image.files["disk.qcow2"][1])
    half = target.with_name(target.name + ".part")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent) as room:
            disk = Path(room) / "disk.qcow2"
            _compress(image.directory / "disk.qcow2", disk)
            packed = {**image.files, disk.name: (sha256_file(disk), disk.stat().st_size)}
            write_manifest(dataclasses.replace(image, files=packed), Path(room))
            with tarfile.open(half, "w") as tar:
                tar.add(Path(room) / "manifest.json", "manifest.json")
                for name in FILES:
                    tar.add(disk if name == disk.name else image.directory / name, name)
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)
    sum_file = target.with_name(target.name + ".sha256")
    sum_file.write_text(f"{sha256_file(target)}  {target.name}\n", encoding="utf-8")
    return target


def import_file(source: Path) -> Image:
    """Take an exported image in, each file checked against its sum.

    Raises :class:`ImageCorrupt`; nothing is left behind then.
    """
    if not source.is_file():
        raise ImageUnknown(f"there is no file {source}", expected="one that image export wrote")
    _check_sum(source)
    images_dir().mkdir(parents=True, exist_ok=True)
    require_space(images_dir(), source.stat().st_size)
    with tempfile.TemporaryDirectory(dir=images_dir(), prefix=".import-") as room:
        directory = Path(room) / "image"
        image = _unpack(source, directory)
        _check_recipe(image, source)
        with lock(image.directory.name):
            _check_files(image, directory, source)
            shutil.rmtree(image.directory, ignore_errors=True)
            directory.rename(image.directory)
    return image


def _compress(source: Path, target: Path) -> None:
    subprocess.run(
        [
            *(programs.command("qemu-img"), "convert", "-q", "-c", "-W", "-m", "8"),
            *("-O", "qcow2", "-o", "compression_type=zstd", str(source), str(target)),
        ],
        check=True,
    )


def _check_sum(source: Path) -> None:
    sum_file = source.with_name(source.name + ".sha256")
    if sum_file.is_file():
        wanted = sum_file.read_text(encoding="utf-8").split()[0]
        if sha256_file(source) != wanted:
            raise ImageCorrupt(
                f"{source} does not have the sha256 in {sum_file.name}",
                expected=wanted,
                hint="copy the file again",
            )


def _unpack(source: Path, directory: Path) -> Image:
    directory.mkdir()
    try:
        with tarfile.open(source) as tar:
            for member in tar:
                # Known names and bytes only: nothing in the file leads out of the folder.
                data = tar.extractfile(member) if member.name in (*FILES, "manifest.json") else None
                if data:
                    with data, (directory / member.name).open("wb") as file:
                        shutil.copyfileobj(data, file)
    except (tarfile.TarError, OSError) as wrong:
        raise ImageCorrupt(
            f"{source} is not an exported image ({wrong})", expected="a file of labkit image export"
        ) from wrong
    manifest = directory / "manifest.json"
    if not manifest.is_file():
        raise ImageCorrupt(f"{source} holds no manifest.json", expected="an exported image")
    return read_manifest(manifest)


def _check_recipe(image: Image, source: Path) -> None:
    """Platform and recipe name the folder it will lie in; another recipe would lie there unused."""
    known = image.platform in platforms.names()
    wanted = recipe_digest(platforms.get(image.platform)) if known else "of a platform there is"
    if image.recipe != wanted:
        raise ImageCorrupt(
            f"{source} holds {image.platform!r} of recipe {image.recipe!r}",
            expected=f"recipe {wanted}",
            hint="use the same version of the guide on both machines",
        )


def _check_files(image: Image, directory: Path, source: Path) -> None:
    for name in FILES:
        file = directory / name
        digest, _ = image.files.get(name, ("", 0))
        if not file.is_file() or sha256_file(file) != digest:
            raise ImageCorrupt(
                f"{name} in {source} is not what its manifest says", hint="copy the file again"
            )
    (directory / "login_key").chmod(0o600)
    (directory / "manifest.json").touch()
