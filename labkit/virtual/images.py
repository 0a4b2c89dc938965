"""The images on this machine: one directory each."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

from labkit import platforms
from labkit.errors import DiskFull, ImageCorrupt, ImageUnknown
from labkit.files import lock, sha256_file, write_atomic
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
    "unknown_image",
    "write_manifest",
]

FILES = ("disk.qcow2", "kernel", "initrd", "login_key")
"""The files of an image: disk, kernel, initial RAM disk, private key for the login."""


@dataclass(frozen=True)
class Image:
    """One image, as its manifest describes it.

    ``recipe`` is :func:`recipe_digest`, ``release`` the kernel's release, ``built`` the time in
    ISO 8601 (UTC), ``host_key`` the board's public SSH key. ``files`` maps each name to its
    sha256 in hexadecimal and its size in bytes.
    """

    platform: str
    recipe: str
    release: str
    built: str
    host_key: str
    files: dict[str, tuple[str, int]]

    @property
    def directory(self) -> Path:
        """The directory of its files."""
        return images_dir() / f"{self.platform}-{self.recipe}"

    @property
    def size(self) -> int:
        """Bytes that it takes on this machine's disk, snapshots included."""
        return sum(
            file.stat().st_blocks * 512 for file in self.directory.rglob("*") if file.is_file()
        )

    @property
    def current(self) -> bool:
        """Whether its recipe is the current one of a known platform."""
        known = self.platform in platforms.names()
        return known and self.recipe == recipe_digest(platforms.get(self.platform))

    def verify(self, *, thorough: bool = False) -> None:
        """Raise :class:`ImageCorrupt` where a file differs from the manifest.

        Sizes are always compared. The sha256 sums, which take a second, are compared with
        ``thorough`` and for a file that is newer than the manifest.
        """
        written = (self.directory / "manifest.json").stat().st_mtime_ns
        for name, (digest, size) in self.files.items():
            file = self.directory / name
            stat = file.stat() if file.is_file() else None
            intact = stat is not None and stat.st_size == size
            if intact and stat and (thorough or stat.st_mtime_ns > written):
                intact = sha256_file(file) == digest
            if not intact:
                raise ImageCorrupt(
                    f"{file} is not what its manifest says",
                    expected=f"{size} bytes with sha256 {digest[:12]}...",
                    hint=f"labkit image build {self.platform} --rebuild",
                )


def images_dir() -> Path:
    """The directory of all images."""
    return cache_dir() / "images"


def recipe_digest(platform: Platform) -> str:
    """The name of a recipe: eight hexadecimal digits.

    They change with the platform's file and with labkit's own files on the image.
    """
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
    """All complete images, sorted by platform. What a failed build leaves is not among them."""
    manifests = sorted(images_dir().glob("*/manifest.json"))
    return [read_manifest(path) for path in manifests if not path.parent.name.startswith(".")]


def find(platform: Platform) -> Image | None:
    """The image of this platform's current recipe, or None."""
    path = images_dir() / f"{platform.name}-{recipe_digest(platform)}" / "manifest.json"
    return read_manifest(path) if path.exists() else None


def write_manifest(image: Image, directory: Path) -> None:
    """Write the manifest in one step, as the last file of an image: it makes the image complete."""
    write_atomic(directory / "manifest.json", json.dumps(asdict(image), indent=1))


def read_manifest(path: Path) -> Image:
    """Read an image's manifest. Raises :class:`ImageCorrupt`."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        values["files"] = {
            name: (str(digest), int(size)) for name, (digest, size) in values["files"].items()
        }
        return Image(**values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ImageCorrupt(
            f"{path} is not a manifest ({error})", hint=f"rm -r {path.parent}"
        ) from error


def remove(platform: Platform) -> list[Image]:
    """Remove a platform's images, those of old recipes too. Raises :class:`ImageUnknown`."""
    removed = [image for image in images() if image.platform == platform.name]
    if not removed:
        raise unknown_image(platform)
    for image in removed:
        with lock(image.directory.name):
            (image.directory / "manifest.json").unlink()  # from now on it is no image
            shutil.rmtree(image.directory)
    return removed


def require_space(directory: Path, needed: int) -> None:
    """Raise :class:`DiskFull` where ``directory`` has fewer than ``needed`` bytes free.

    The directory need not exist yet.
    """
    while not directory.exists():
        directory = directory.parent
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise DiskFull(
            f"{directory} has {free / 2**20:.0f} MiB free",
            expected=f"{needed / 2**20:.0f} MiB",
            hint="free disk space, or set LABKIT_CACHE to a directory on a larger disk",
        )


def unknown_image(platform: Platform) -> ImageUnknown:
    """The error to raise where a platform has no image on this machine."""
    return ImageUnknown(
        f"there is no image of {platform.name} on this machine",
        hint=f"labkit image build {platform.name}",
    )
