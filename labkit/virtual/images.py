"""The images on this machine: one folder each."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

from labkit.errors import DiskFull, ImageCorrupt, ImageUnknown
from labkit.files import lock, sha256_file
from labkit.paths import cache_dir
from labkit.platforms import Platform
from labkit.virtual import guest

__all__ = [
    "FILES",
    "Image",
    "find",
    "images",
    "images_dir",
    "read_manifest",
    "recipe_digest",
    "remove",
    "require_space",
    "unknown",
    "write_manifest",
]

FILES = ("disk.qcow2", "kernel", "initrd", "login_key")
"""What an image is made of: the disk, the kernel and its first RAM disk, the key to log in."""


@dataclass(frozen=True)
class Image:
    """One image. ``recipe`` tells which recipe made it, ``host_key`` is its public SSH key.

    ``files`` gives sha256 and size in bytes of each file, ``release`` the kernel's.
    """

    platform: str
    recipe: str
    release: str
    built: str
    host_key: str
    files: dict[str, tuple[str, int]]

    @property
    def directory(self) -> Path:
        """Where it lies."""
        return images_dir() / f"{self.platform}-{self.recipe}"

    @property
    def size(self) -> int:
        """Bytes on this machine's disk, snapshots included."""
        return sum(
            file.stat().st_blocks * 512 for file in self.directory.rglob("*") if file.is_file()
        )

    def verify(self, *, thorough: bool = False) -> None:
        """Raise :class:`ImageCorrupt` where a file is not what the manifest says.

        Reading half a gigabyte takes a second; so the sizes always, and the sha256 sums
        where ``thorough``, or where a file is younger than the manifest that describes it.
        """
        written = (self.directory / "manifest.json").stat().st_mtime_ns
        for name, (digest, size) in self.files.items():
            file = self.directory / name
            state = file.stat() if file.is_file() else None
            good = state is not None and state.st_size == size
            if good and state and (thorough or state.st_mtime_ns > written):
                good = sha256_file(file) == digest
            if not good:
                raise ImageCorrupt(
                    f"{file} is not what its manifest says",
                    expected=f"{size} bytes with sha256 {digest[:12]}...",
                    hint=f"labkit image build {self.platform} --again",
                )


def images_dir() -> Path:
    """Where images lie."""
    return cache_dir() / "images"


def recipe_digest(platform: Platform) -> str:
    """What names a recipe: eight digits that change with the platform's file or our own."""
    tree = io.BytesIO()
    keys = dict.fromkeys(("host_key", "host_key_public", "login_key"), "")
    firmware = bool(platform.virtual and platform.virtual.firmware)
    guest.write_tree(tree, hostname=platform.name, firmware=firmware, **keys)
    compose = files("labkit.virtual").joinpath("compose.sh").read_bytes()
    ours = (
        repr((platform.virtual, guest.PACKAGES, guest.OPTIONS)).encode()
        + guest.read("init").encode()
    )
    return hashlib.sha256(ours + compose + tree.getvalue()).hexdigest()[:8]


def images() -> list[Image]:
    """All whole images, by platform. What a broken build left has no manifest and is not one."""
    manifests = sorted(images_dir().glob("*/manifest.json"))
    return [read_manifest(path) for path in manifests if not path.parent.name.startswith(".")]


def find(platform: Platform) -> Image | None:
    """The image of this platform's present recipe, or None."""
    path = images_dir() / f"{platform.name}-{recipe_digest(platform)}" / "manifest.json"
    return read_manifest(path) if path.exists() else None


def write_manifest(image: Image, directory: Path) -> None:
    """Write the manifest, the last file of an image: with it, the image is one."""
    (directory / "manifest.json").write_text(json.dumps(asdict(image), indent=1), encoding="utf-8")


def read_manifest(path: Path) -> Image:
    """Read an image's manifest. Raises :class:`ImageCorrupt`."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        said["files"] = {name: (str(d), int(size)) for name, (d, size) in said["files"].items()}
        return Image(**said)
    except (ValueError, TypeError, KeyError, AttributeError) as wrong:
        raise ImageCorrupt(
            f"{path} is not a manifest ({wrong})", hint=f"rm -r {path.parent}"
        ) from wrong


def remove(platform: Platform) -> list[Image]:
    """Remove a platform's images, old recipes too. Raises :class:`ImageUnknown`."""
    gone = [image for image in images() if image.platform == platform.name]
    if not gone:
        raise unknown(platform)
    for image in gone:
        with lock(image.directory.name):
            (image.directory / "manifest.json").unlink()  # from here on it is no image
            shutil.rmtree(image.directory)
    return gone


def require_space(directory: Path, needed: int) -> None:
    """Raise :class:`DiskFull` where fewer than ``needed`` bytes are free for ``directory``."""
    while not directory.exists():
        directory = directory.parent
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise DiskFull(
            f"{directory} has {free / 2**20:.0f} MiB free",
            expected=f"{needed / 2**20:.0f} MiB",
            hint="make room, or set LABKIT_CACHE to a folder on a larger disk",
        )


def unknown(platform: Platform) -> ImageUnknown:
    """The error where a platform has no image here, to be raised."""
    return ImageUnknown(
        f"there is no image of {platform.name} here", hint=f"labkit image build {platform.name}"
    )
