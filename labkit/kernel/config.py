"""How a kernel was built: its configuration, the first of the three layers."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.errors import KernelConfigError, SudoRefused

if TYPE_CHECKING:
    from labkit.boards import Board

__all__ = ["KernelConfig", "load_config", "parse_config", "read_config"]

_HINT = "zcat /proc/config.gz or cat /boot/config-$(uname -r) on an arm64 board"

# The forms of a line in a .config, as scripts/kconfig/confdata.c of the kernel writes them.
_SET = re.compile(r'CONFIG_(\w+)=("(?:[^"\\]|\\.)*"|[^"\s]*)')
_UNSET = re.compile(r"# CONFIG_(\w+) is not set")
_HEADER = re.compile(r"^# Linux/(\S+) (\S+) Kernel Configuration", re.MULTILINE)
_END = re.compile(r"^# end of ([^\r\n]+)", re.MULTILINE)

_LAST_SECTION = "Kernel hacking"
"""The last big menu of every kernel (lib/Kconfig.debug): a complete file has its end."""

_LANDMARKS = ("ARM64", "MODULES", "DEBUG_KERNEL")
"""Options in every arm64 configuration, from the start, the middle and the end of the file."""

_ARCHITECTURES = ("X86", "ARM", "RISCV", "PPC", "S390", "MIPS", "LOONGARCH", "SPARC", "PARISC")


@dataclass(frozen=True, repr=False)
class KernelConfig:
    """The options of one kernel by name, with or without ``CONFIG_``.

    A value is ``"y"``, ``"m"``, ``"n"``, the text of a value, or ``None``: the kernel does not
    have that option. ``None`` is not ``"n"``. A kernel does not have an option that its version
    never had or has dropped, or that depends on an option which is off. ``source`` is where the
    options were read, ``version`` the kernel's version in the file ("" where there is none).

    >>> config = KernelConfig({"KVM": "y", "IKCONFIG": "n"}, "an example")
    >>> config["CONFIG_KVM"], config["IKCONFIG"], config["ARM64_VHE"]
    ('y', 'n', None)
    >>> "IKCONFIG" in config, "ARM64_VHE" in config
    (True, False)
    """

    options: Mapping[str, str]
    source: str
    version: str = ""

    def __getitem__(self, name: str) -> str | None:
        return self.get(name)

    def get(self, name: str, default: str | None = None) -> str | None:
        """The option's value, or ``default`` where the kernel has no such option."""
        return self.options.get(name.removeprefix("CONFIG_"), default)

    def __contains__(self, name: str) -> bool:
        return name.removeprefix("CONFIG_") in self.options

    def __iter__(self) -> Iterator[str]:
        return iter(self.options)

    def __len__(self) -> int:
        return len(self.options)

    def __repr__(self) -> str:
        version = f" {self.version}" if self.version else ""
        return f"<KernelConfig{version} from {self.source}: {len(self)} options>"


def parse_config(text: str, source: str) -> KernelConfig:
    """Read the text of a kernel configuration; ``source`` is where it came from.

    Raises :class:`~labkit.errors.KernelConfigError` for a text that is empty, is something
    else, belongs to another architecture, or was cut off.

    >>> parse_config("hello", "greeting.txt")
    Traceback (most recent call last):
    ...
    labkit.errors.KernelConfigError: greeting.txt has no CONFIG_ line, it begins 'hello'; ...
    """
    _require_config(text, source)
    options: dict[str, str] = {}
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if match := _UNSET.fullmatch(line):
            options[match[1]] = "n"
        elif match := _SET.fullmatch(line):
            options[match[1]] = _unquoted(match[2])
        elif line.strip() and not line.startswith("#") and number < len(lines):
            raise _no_config(f"line {number} of {source} reads {line[:40]!r}")
    _require_arm64(text, options, source)
    _require_complete(text, options, source)
    header = _HEADER.search(text)
    return KernelConfig(options, source, header[2] if header else "")


def load_config(path: str | Path) -> KernelConfig:
    """Read a configuration from a file on this machine, plain or compressed with gzip.

    Raises :class:`~labkit.errors.KernelConfigError`, as :func:`parse_config` does, and for a
    file that cannot be read.

    >>> load_config("config-6.1.0-56-arm64")["HZ"]          # doctest: +SKIP
    '250'
    """
    try:
        content = Path(path).read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
    except EOFError as error:
        raise _cut_off(f"{path} is a gzip file that ends early") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise _no_config(f"{path} is a damaged gzip file ({error})") from error
    except OSError as error:
        raise _no_config(f"{path} cannot be read: {error.strerror}") from error
    return parse_config(content.decode(errors="replace"), str(path))


# -- from a board ---------------------------------------------------------------------------

# `modprobe -n` only tests whether the module exists. A user's PATH may lack /usr/sbin.
_READ = r"""
PATH=$PATH:/usr/sbin:/sbin; release=$(uname -r); echo "@@release $release"
if [ -r /proc/config.gz ]; then
    echo "@@source /proc/config.gz"; exec gzip -dc /proc/config.gz
fi
if modprobe -n -q configs 2>/dev/null; then echo "@@module"; fi
for path in "/boot/config-$release" "/usr/lib/modules/$release/config"; do
    if [ -r "$path" ]; then echo "@@source $path"; exec cat "$path"; fi
done
"""

# The trap unloads the module, also where the connection is lost in between.
_READ_FROM_MODULE = r"""
PATH=$PATH:/usr/sbin:/sbin; modprobe configs || exit
trap 'modprobe -r configs' EXIT; trap 'exit 143' HUP INT TERM
gzip -dc /proc/config.gz
"""


def read_config(board: Board) -> KernelConfig:
    """Read the configuration of the kernel that runs on ``board``.

    The first of these counts: ``/proc/config.gz``; the same file after ``sudo modprobe configs``,
    where the kernel has it as a module (Raspberry Pi OS), which is unloaded again;
    ``/boot/config-RELEASE``; ``/usr/lib/modules/RELEASE/config``. This takes one round trip, or
    two with the module. Without the right to load the module it is left out.

    Raises :class:`~labkit.errors.KernelConfigError` where none of them exists, or where the first
    one is not usable.

    >>> read_config(board).source                           # doctest: +SKIP
    '/boot/config-6.1.0-56-arm64'
    """
    head, separator, rest = board.run(_READ).stdout.partition("@@source ")
    if "@@module" in head and (text := _from_module(board)):
        return parse_config(text, "/proc/config.gz, by way of the module configs")
    if not separator:
        raise _missing(board.name, head)
    source, _, text = rest.partition("\n")
    return parse_config(text, source)


def _missing(board: str, head: str) -> KernelConfigError:
    release = head.partition("@@release ")[2].partition("\n")[0]
    refused = " (sudo modprobe configs did not give it)" if "@@module" in head else ""
    return KernelConfigError(
        f"{board} has no configuration of its kernel {release}",
        expected=f"/proc/config.gz{refused}, /boot/config-{release} or "
        f"/usr/lib/modules/{release}/config",
        hint="take the file from the kernel's package and read it with load_config",
    )


def _from_module(board: Board) -> str:
    """The configuration from the module ``configs``; "" where the user may not load it."""
    try:
        result = board.run(_READ_FROM_MODULE, sudo=True)
    except SudoRefused:
        return ""
    return result.stdout if result.ok else ""


# -- what is refused ------------------------------------------------------------------------


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _require_config(text: str, source: str) -> None:
    if not text.strip():
        raise _no_config(f"{source} is empty")
    if "\0" in text or "\ufffd" in text[:4096]:
        raise _no_config(f"{source} is binary, not text")
    if "CONFIG_" not in text:
        raise _no_config(f"{source} has no CONFIG_ line, it begins {text.strip()[:40]!r}")


def _require_arm64(text: str, options: Mapping[str, str], source: str) -> None:
    """The header names the architecture; where the header is missing, the options name it."""
    header = _HEADER.search(text)
    others = [name.lower() for name in _ARCHITECTURES if options.get(name) == "y"]
    architecture = header[1] if header else (others or ["arm64"])[0]
    if architecture != "arm64" and options.get("ARM64") != "y":
        raise KernelConfigError(
            f"{source} is for a kernel of the architecture {architecture}",
            expected="one with CONFIG_ARM64=y",
            hint=_HINT,
        )


def _require_complete(text: str, options: Mapping[str, str], source: str) -> None:
    """A complete file has the end of the last menu, and every landmark.

    Kernels before 5.4 do not mark the ends of menus: for them only the landmarks decide.
    """
    last = text.splitlines()[-1]
    if last.strip() and not (last.startswith("#") or _SET.fullmatch(last)):
        raise _cut_off(f"{source} ends in the middle of a line: {last[-40:]!r}")
    ends: list[str] = _END.findall(text)
    if ends and _LAST_SECTION not in ends:
        raise _cut_off(f"{source} stops after the section {ends[-1]!r}")
    for name in _LANDMARKS:
        if name not in options:
            raise _cut_off(
                f"{source} has {len(options)} options, and CONFIG_{name} is not among them"
            )


def _no_config(problem: str) -> KernelConfigError:
    return KernelConfigError(problem, expected="a kernel configuration", hint=_HINT)


def _cut_off(problem: str) -> KernelConfigError:
    return KernelConfigError(
        problem,
        expected="the complete configuration of an arm64 kernel",
        hint=f"copy it again: {_HINT}",
    )
