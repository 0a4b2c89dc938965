"""A virtual board's life: from an image to a machine that answers, and back to nothing."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labkit import platforms
from labkit.boards.board import Board
from labkit.boards.transport import Transport
from labkit.errors import BoardUnknown, BootFailed, VirtualError
from labkit.files import lock
from labkit.paths import cache_dir
from labkit.platforms import Platform, VirtualSpec
from labkit.tools import require
from labkit.virtual import builder, firmware, guest, images
from labkit.virtual import tools as programs
from labkit.virtual.images import Image
from labkit.virtual.progress import step
from labkit.virtual.qemu import Qemu, free_port, require_free, snapshot_key
from labkit.virtual.qmp import Qmp

__all__ = ["VirtualMachine", "ensure_image", "machines", "temporary_board", "virtual_board"]

COLD_BOOT = 180.0
"""Seconds a cold boot may take: 17 on the machine this was written on."""

WAKE = 20.0
"""Seconds a restored machine may take to say it is awake: one, as a rule."""

# Seen with QEMU 7.2: on these a kernel with pages of 16 KiB ends before its first word. The
# architecture leaves that page size to the maker, and ID_AA64MMFR0_EL1.TGran16 is 0 in them.
_WITHOUT_16_KIB = {"a64fx", "cortex-a53", "cortex-a57", "cortex-a72"}


@dataclass(frozen=True)
class VirtualMachine:
    """One virtual board by name: ``debian-12``, or ``debian-12@NAME`` for one more beside it.

    ``cpu`` (one of QEMU's names) and ``virtualization`` (whether the firmware enters the
    kernel at EL2, as KVM needs it) differ from the platform's own hardware where given.
    """

    name: str
    cpu: str = ""
    virtualization: bool = False

    def __post_init__(self) -> None:
        # The name is a folder's too, which is removed with all that is in it, and a file's.
        if not re.fullmatch(r"\w[\w.-]*(@\w[\w.-]*)?", self.name):
            raise BoardUnknown(
                f"there is no board {self.name!r}",
                expected="letters, digits, dots and dashes, as in debian-12@NAME",
                hint="labkit board list",
            )

    @property
    def platform(self) -> Platform:
        """The kind of board. Raises :class:`PlatformError`."""
        return platforms.get(self.name.partition("@")[0])

    @property
    def recipe(self) -> VirtualSpec:
        """How it is made. Raises :class:`VirtualError` where it cannot be made."""
        recipe = self.platform.virtual
        if recipe is None:
            raise VirtualError(f"labkit has no recipe for a virtual {self.platform.title}")
        machine = recipe.machine + (",virtualization=on" if self.virtualization else "")
        recipe = dataclasses.replace(recipe, cpu=self.cpu or recipe.cpu, machine=machine)
        _require_page_size(recipe)
        return recipe

    @property
    def directory(self) -> Path:
        """Its disk and logs."""
        return cache_dir() / "machines" / self.name

    @property
    def qemu(self) -> Qemu:
        """Its process."""
        return Qemu(self.directory)

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return self.directory.exists() and self.qemu.alive()

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 its SSH answers on; 0 where it was never up."""
        try:
            return int(json.loads((self.directory / "machine.json").read_text())["port"])
        except (OSError, ValueError, KeyError):
            return 0

    def up(self, *, port: int = 0) -> Transport:
        """Have it run, building, booting or restoring what that needs; give the way to it.

        Two processes that ask at once get the same machine. ``port`` 0 takes a free one.
        One that was switched off from inside is switched on again, with what is on its disk.
        """
        image = ensure_image(self.platform)
        with lock(f"machine-{self.name}"):
            if self.running and port in (0, self.port):
                return self._way(image)
            if self.qemu.guest_powered_off and self.port:
                self._power_on(image, port)
            else:
                self._start(image, port)
        return self._way(image)

    def power_cycle(self, *, timeout: float) -> Transport:
        """Wait for the system to have shut itself down, and switch it on again.

        Its disks stay as they are; where we play its firmware, that reads its files anew.
        Raises :class:`BootFailed` where it does not come up within ``timeout`` seconds.
        """
        image = ensure_image(self.platform)
        until = time.monotonic() + timeout
        with lock(f"machine-{self.name}"):
            if not self.qemu.ended(self.port, within=timeout / 2):
                raise self.qemu.failure(f"{self.name} did not shut down")
            self._power_on(image, self.port, timeout=until - time.monotonic())
        return self._way(image)

    def down(self) -> None:
        """End it and throw its disk away. Harmless where it does not run."""
        with lock(f"machine-{self.name}"):
            if self.directory.exists():
                self.qemu.stop()
                shutil.rmtree(self.directory)

    def reset(self) -> Transport:
        """A pristine machine of the same name on the same port; whatever was on it is gone."""
        image = ensure_image(self.platform)
        with lock(f"machine-{self.name}"):
            self._start(image, self.port)
        return self._way(image)

    def _power_on(self, image: Image, port: int, *, timeout: float = COLD_BOOT) -> None:
        """Start it cold on the disks it has."""
        port = port or self.port
        with step(f"switching {self.name} on", about=25):
            self.qemu.start(self.recipe, image, port, None)
            (self.directory / "machine.json").write_text(json.dumps({"port": port}))
            self.qemu.wake(timeout=timeout)

    def _start(self, image: Image, port: int) -> None:
        """From the snapshot; where that fails (a leftover of another QEMU, say), a new one."""
        recipe = self.recipe  # what cannot be made says so before anything is touched
        if port and port != self.port:
            require_free(port)  # before a board that runs is stopped for nothing
        if self.directory.exists():
            self.qemu.stop()
        self.directory.mkdir(parents=True, exist_ok=True)
        port = port or free_port()
        snapshot = _snapshot(image, recipe)
        try:
            self._restore(image, snapshot, port)
        except BootFailed:
            self.qemu.stop()
            shutil.rmtree(snapshot)
            self._restore(image, _snapshot(image, recipe), port)

    def _restore(self, image: Image, snapshot: Path, port: int) -> None:
        _new_disk(snapshot / "disk.qcow2", self.directory / "disk.qcow2")
        if self.recipe.firmware:
            shutil.copy(snapshot / "firmware.img", self.directory)
        (self.directory / "machine.json").write_text(json.dumps({"port": port}))
        self.qemu.start(self.recipe, image, port, snapshot / "memory")
        self.qemu.wake(timeout=WAKE)

    def _way(self, image: Image) -> Transport:
        return _ssh(image, self.name, self.port)


def ensure_image(platform: Platform, *, anew: bool = False) -> Image:
    """The platform's image, built where there is none yet (or ``anew``)."""
    plays = platform.virtual is not None and platform.virtual.firmware
    require((*programs.RUN, *programs.FIRMWARE) if plays else programs.RUN)
    with lock(f"{platform.name}-{images.recipe_digest(platform)}"):
        image = None if anew else images.find(platform)
        if image is None:
            image = builder.build(platform)
    image.verify()
    return image


def machines() -> list[VirtualMachine]:
    """The virtual machines that have a folder, running or not."""
    directory = cache_dir() / "machines"
    return [VirtualMachine(path.name) for path in sorted(directory.glob("*")) if path.is_dir()]


def virtual_board(name: str, *, port: int = 0) -> Board | None:
    """A running virtual board by name; None where its platform does not exist."""
    machine = VirtualMachine(name)
    if name.partition("@")[0] not in platforms.names():
        return None
    return Board(name, machine.up(port=port), platform=machine.platform.name, machine=machine)


@contextmanager
def temporary_board(
    platform: str, *, cpu: str = "", virtualization: bool = False
) -> Iterator[Board]:
    """A virtual board beside the others, of other hardware, gone at the end of the block.

    See :class:`VirtualMachine` for ``cpu`` and ``virtualization``. The first board of its
    kind boots in 15 to 20 seconds, the next ones come from its snapshot. Raises
    :class:`VirtualError` where the core lacks the page size of the platform's kernel.

    >>> with temporary_board("debian-12", cpu="cortex-a72") as old:    # doctest: +SKIP
    ...     print("atomics" in old.facts.features)
    False
    """
    name = f"{platform}@{cpu or 'borrowed'}-{os.getpid()}"
    machine = VirtualMachine(name, cpu, virtualization)
    try:
        with Board(name, machine.up(), platform=platform, machine=machine) as board:
            yield board
    finally:
        machine.down()


def _snapshot(image: Image, recipe: VirtualSpec) -> Path:
    """The folder with memory and disk of a machine that has booted, taken now if need be."""
    boot = firmware.boot_config_from_disk(None) if recipe.firmware else None
    directory = image.directory / "snapshots" / snapshot_key(recipe, image, boot)
    with lock(f"snapshot-{image.directory.name}"):
        if not directory.exists():
            half = directory.with_name(f".{directory.name}")
            Qemu(half).stop()
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir(parents=True)
            with step("booting it once, for a snapshot", about=25):
                _take_snapshot(image, recipe, half)
            half.rename(directory)
    return directory


def _take_snapshot(image: Image, recipe: VirtualSpec, directory: Path) -> None:
    qemu = Qemu(directory)
    port = free_port()
    _new_disk(image.directory / "disk.qcow2", directory / "disk.qcow2")
    if recipe.firmware:
        firmware.new_disk(directory / "firmware.img")
    try:
        qemu.start(recipe, image, port, None)
        qemu.wake(timeout=COLD_BOOT)
        # One login before the picture is taken: the next one finds everything in memory.
        with Board("warm-up", _ssh(image, "warm-up", port)) as board:
            board.read_many(["/proc/cpuinfo"])
            board.check("sudo -n true; sha256sum /etc/hostname; sync")
        time.sleep(1.0)  # so that the login's own processes are gone from the picture
        with Qmp(qemu.socket("qmp")) as machine:
            machine.save_state(directory / "memory")
    finally:
        qemu.stop()


def _new_disk(below: Path, disk: Path) -> None:
    """An empty disk over another: what is written goes into the upper one only."""
    disk.unlink(missing_ok=True)
    subprocess.run(
        [
            *(programs.command("qemu-img"), "create", "-q", "-f", "qcow2"),
            *("-F", "qcow2", "-b", str(below), str(disk)),
        ],
        check=True,
    )


def _ssh(image: Image, name: str, port: int) -> Transport:
    # Only here: paramiko takes a tenth of a second to import.
    from labkit.boards.ssh.target import SshTarget
    from labkit.boards.ssh.transport import SshTransport

    return SshTransport(
        SshTarget(
            name,
            "127.0.0.1",
            port,
            guest.LOGIN,
            keys=(image.directory / "login_key",),
            host_key=image.host_key,
        )
    )


def _require_page_size(recipe: VirtualSpec) -> None:
    """Raise :class:`VirtualError` where the core lacks the page size of the recipe's kernel."""
    core = recipe.cpu.partition(",")[0]
    if recipe.kernel.endswith("-16k") and core in _WITHOUT_16_KIB:
        raise VirtualError(
            f"{core} has no pages of 16 KiB, and {recipe.kernel} has no others",
            expected="a core that has them, such as cortex-a76",
            hint='borrow one of another platform, as in temporary_board("debian-12", cpu=...)',
        )
