"""An image as one file, to copy to another machine."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from labkit import platforms
from labkit.errors import ImageCorrupt, ImageUnknown
from labkit.files import lock, part_file, sha256_file, write_atomic
from labkit.platforms import Platform
from labkit.virtual import tools
from labkit.virtual.images import (
    FILES,
    Image,
    find,
    images_dir,
    read_manifest,
    recipe_digest,
    require_space,
    unknown_image,
    write_manifest,
)

__all__ = ["export", "import_file"]


def export(platform: Platform, target: Path) -> Path:
    """Write a platform's image into one file, and its sha256 into ``target``.sha256 beside it.

    Snapshots are left out, because they depend on this machine's QEMU. The file holds the
    private keys of the virtual board. Only this machine can reach such a board; still, do not
    publish the file. Raises :class:`ImageUnknown`, :class:`DiskFull`.
    """
    image = find(platform)
    if image is None:
        raise unknown_image(platform)
    image.verify(thorough=True)
    if not target.parent.is_dir():
        raise ImageUnknown(f"there is no directory {target.parent}", expected="one to write to")
    require_space(target.parent, image.files["disk.qcow2"][1])
    with (
        part_file(target) as part_path,
        tempfile.TemporaryDirectory(dir=target.parent) as directory,
    ):
        work_dir = Path(directory)
        disk = work_dir / "disk.qcow2"
        _compress(image.directory / disk.name, disk)
        packed = {**image.files, disk.name: (sha256_file(disk), disk.stat().st_size)}
        write_manifest(dataclasses.replace(image, files=packed), work_dir)
        with tarfile.open(part_path, "w") as tar:
            tar.add(work_dir / "manifest.json", "manifest.json")
            for name in FILES:
                tar.add(disk if name == disk.name else image.directory / name, name)
    sum_file = target.with_name(target.name + ".sha256")
    write_atomic(sum_file, f"{sha256_file(target)}  {target.name}\n")
    return target


def import_file(source: Path) -> Image:
    """Import an exported image. The sha256 of each file is checked.

    Raises :class:`ImageUnknown`, :class:`ImageCorrupt`, :class:`DiskFull`, and leaves nothing
    behind then.
    """
    if not source.is_file():
        raise ImageUnknown(f"there is no file {source}", expected="a file of labkit image export")
    _check_sum(source)
    images_dir().mkdir(parents=True, exist_ok=True)
    require_space(images_dir(), source.stat().st_size)
    with tempfile.TemporaryDirectory(dir=images_dir(), prefix=".import-") as work_dir:
        directory = Path(work_dir) / "image"
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
            *(tools.command("qemu-img"), "convert", "-q", "-c", "-W", "-m", "8"),
            *("-O", "qcow2", "-o", "compression_type=zstd", str(source), str(target)),
        ],
        check=True,
    )


def _check_sum(source: Path) -> None:
    sum_file = source.with_name(source.name + ".sha256")
    if sum_file.is_file():
        expected = sum_file.read_text(encoding="utf-8").split()[0]
        if sha256_file(source) != expected:
            raise ImageCorrupt(
                f"{source} does not have the sha256 in {sum_file.name}",
                expected=expected,
                hint="copy the file again",
            )


def _unpack(source: Path, directory: Path) -> Image:
    directory.mkdir()
    try:
        with tarfile.open(source) as tar:
            for member in tar:
                # Only known names, and only their bytes: no member can lie outside of `directory`.
                data = tar.extractfile(member) if member.name in (*FILES, "manifest.json") else None
                if data:
                    with data, (directory / member.name).open("wb") as file:
                        shutil.copyfileobj(data, file)
    except (tarfile.TarError, OSError) as error:
        raise ImageCorrupt(
            f"{source} is not an exported image ({error})", expected="a file of labkit image export"
        ) from error
    manifest = directory / "manifest.json"
    if not manifest.is_file():
        raise ImageCorrupt(f"{source} holds no manifest.json", expected="an exported image")
    return read_manifest(manifest)


def _check_recipe(image: Image, source: Path) -> None:
    """Platform and recipe name the directory of the image; no other names are accepted."""
    known = image.platform in platforms.names()
    expected = recipe_digest(platforms.get(image.platform)) if known else "of a known platform"
    if image.recipe != expected:
        raise ImageCorrupt(
            f"{source} holds {image.platform!r} of recipe {image.recipe!r}",
            expected=f"recipe {expected}",
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
