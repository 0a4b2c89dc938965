"""What a kind of board is: one TOML file each, read and checked when it is asked for.

The files beside this module are the platforms that come with labkit. Every ``*.toml`` file in the
directory ``platforms`` of the user's configuration (:func:`labkit.paths.config_dir`) is one more.
The file's name is the platform's name, and its fields are those of :class:`Platform`. With a table
``[virtual]``, ``labkit board up NAME`` builds the image and boots the board.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path

from labkit import schema
from labkit.errors import PlatformError
from labkit.paths import config_dir

__all__ = ["FirmwareSpec", "Packages", "Platform", "VirtualSpec", "get", "load", "names"]


@dataclass(frozen=True)
class Packages:
    """The distribution's names of the packages that the labs mention; "" where it has none.

    ``{release}`` in a name stands for the output of ``uname -r``.
    """

    headers: str
    compiler: str
    libc: str
    tls: str
    extra_modules: str


@dataclass(frozen=True)
class FirmwareSpec:
    """How the firmware of one Raspberry Pi model differs from another's, for a virtual board.

    ``model`` is its name in the filters of config.txt (``pi5``), ``title`` the model in the device
    tree. ``arm_freq`` and ``arm_freq_min`` are its defaults in MHz, ``arm_freq_boost`` is the
    default highest clock in MHz where config.txt has ``arm_boost=1`` (0: no other one).
    ``command_line`` are the parameters that it puts before those of cmdline.txt.
    """

    model: str
    title: str
    arm_freq: int
    arm_freq_min: int
    arm_freq_boost: int = 0
    command_line: str = ""


@dataclass(frozen=True, repr=False)
class VirtualSpec:
    """How labkit makes a virtual board of this kind.

    ``suite`` is the distribution's release name, ``kernel`` its kernel package, ``include`` are
    further packages for the image. ``backports`` is a second suite, for the kernel. ``memory`` and
    ``disk`` are in MiB. ``machine`` and ``cpu`` are values of QEMU's options ``-M`` and ``-cpu``.
    ``command_line`` is the kernel's; a board with ``firmware`` has it from the firmware instead.
    """

    suite: str
    kernel: str
    machine: str
    cpu: str
    cpus: int
    memory: int
    disk: int
    include: list[str]
    command_line: str = ""
    backports: str = ""
    firmware: FirmwareSpec | None = None

    def __repr__(self) -> str:
        # The digest in an image's name is made of this text (labkit.virtual.images), so the text
        # stays as it is: with another one every image would be built again. The content of an
        # image depends on whether there is a firmware, and not on what the firmware does.
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["firmware"] = self.firmware is not None
        return f"VirtualSpec({', '.join(f'{name}={value!r}' for name, value in values.items())})"


@dataclass(frozen=True)
class Platform:
    """One kind of board. ``virtual`` is None where labkit cannot make one itself.

    ``os_id`` and ``os_version`` are ID and VERSION_ID of its /etc/os-release, ``section`` is the
    section of the source document about it.
    """

    name: str
    title: str
    os_id: str
    os_version: str
    section: str
    packages: Packages
    virtual: VirtualSpec | None = None


def names() -> list[str]:
    """The names of all platforms, sorted.

    >>> {"debian-12", "raspberry-pi-5", "ubuntu-22.04"} <= set(names())
    True
    """
    return sorted({path.stem for path in _paths()})


def get(name: str) -> Platform:
    """One platform by name.

    Raises :class:`~labkit.errors.PlatformError` for an unknown name, for a file with a mistake,
    and for a file of the user's that has the name of one of labkit's.

    >>> get("raspberry-pi-5").virtual.cpu
    'cortex-a76'
    """
    paths = [path for path in _paths() if path.stem == name]
    if not paths:
        raise PlatformError(
            f"there is no platform {name!r}", expected=f"one of {', '.join(names())}"
        )
    if len(paths) > 1:
        raise PlatformError(
            f"{paths[1]} has the name of a platform of labkit's own",
            expected="another file name",
            hint=f"mv {paths[1]} {paths[1].with_stem(f'my-{name}')}",
        )
    return load(paths[0])


def load(path: Path) -> Platform:
    """Read one platform file.

    Raises :class:`~labkit.errors.PlatformError` with the key that is wrong.
    """
    if not re.fullmatch(r"\w[\w.-]*", path.stem):
        raise PlatformError(
            f"{path.stem!r} cannot name a platform", expected="letters, digits, dots and dashes"
        )
    try:
        text = path.read_bytes()
    except OSError as error:
        raise PlatformError(
            f"{path} cannot be read: {error.strerror}", expected="a TOML file"
        ) from error
    table = schema.parse_toml(text, source=str(path), error=PlatformError)
    return schema.convert(
        table, Platform, source=str(path), error=PlatformError, given={"name": path.stem}
    )


def _paths() -> list[Path]:
    """The platform files: labkit's own, then the user's."""
    directories = (Path(str(files(__name__))), config_dir() / "platforms")
    paths = [path for directory in directories for path in sorted(directory.glob("*.toml"))]
    return [path for path in paths if not path.name.startswith(".")]
