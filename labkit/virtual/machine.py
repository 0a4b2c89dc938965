"""A virtual board's life: started from an image, reset, switched on again, thrown away."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labkit import platforms
from labkit.boards.board import Board
from labkit.boards.transport import Transport
from labkit.errors import BoardUnknown, BootFailed, VirtualError
from labkit.files import lock, write_atomic
from labkit.paths import cache_dir
from labkit.platforms import Platform, VirtualSpec
from labkit.virtual.builder import ensure_image
from labkit.virtual.images import Image
from labkit.virtual.login import ssh_transport
from labkit.virtual.qemu import Qemu, free_port, require_free_port
from labkit.virtual.snapshot import COLD_BOOT, ensure_snapshot, new_disk
from labkit.virtual.steps import step

__all__ = ["VirtualMachine", "machines", "temporary_board", "virtual_board"]

RESTORE = 20.0
"""Seconds that a restored machine may take until it answers. It takes about one."""

# With QEMU 7.2 a kernel with pages of 16 KiB stops on these before it prints a line. The
# architecture makes that page size optional, and ID_AA64MMFR0_EL1.TGran16 is 0 in them.
_WITHOUT_16_KIB = {"a64fx", "cortex-a53", "cortex-a57", "cortex-a72"}


@dataclass(frozen=True)
class VirtualMachine:
    """One virtual board by name: ``debian-12``, or ``debian-12@NAME`` for one more beside it.

    ``cpu`` is one of QEMU's names; empty, the platform's own. With ``virtualization`` the
    kernel starts at exception level EL2, as KVM needs it.
    """

    name: str
    cpu: str = ""
    virtualization: bool = False

    def __post_init__(self) -> None:
        # It is also the name of a directory, which is removed with all that is in it.
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
        """Its hardware and software. Raises :class:`VirtualError` where it cannot be made."""
        recipe = self.platform.virtual
        if recipe is None:
            raise VirtualError(f"labkit has no recipe for a virtual {self.platform.title}")
        machine = recipe.machine + (",virtualization=on" if self.virtualization else "")
        recipe = dataclasses.replace(recipe, cpu=self.cpu or recipe.cpu, machine=machine)
        _require_page_size(recipe)
        return recipe

    @property
    def directory(self) -> Path:
        """The directory of its disk and logs."""
        return cache_dir() / "machines" / self.name

    @property
    def qemu(self) -> Qemu:
        """Its QEMU process."""
        return Qemu(self.directory)

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return self.directory.exists() and self.qemu.is_alive()

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 on which its SSH answers; 0 where it was never up."""
        try:
            return int(json.loads(self._state_file.read_text(encoding="utf-8"))["port"])
        except (OSError, ValueError, KeyError):
            return 0

    def up(self, *, port: int = 0) -> Transport:
        """Start it where it does not run; return the transport to it.

        Builds the image and boots it for a snapshot where these are missing. Two processes that
        call this at the same time get the same machine. ``port`` 0 takes a free port. A machine
        whose own system has switched it off is switched on again, with its disk.
        """
        image = ensure_image(self.platform)
        with lock(f"machine-{self.name}"):
            if self.running and port in (0, self.port):
                return self._transport(image)
            if self.qemu.guest_powered_off and self.port:
                self._power_on(image, port)
            else:
                self._start(image, port)
        return self._transport(image)

    def power_cycle(self, *, timeout: float) -> Transport:
        """Wait until its system has shut down, then switch it on again.

        Its disks stay as they are. An emulated firmware reads its files again. Raises
        :class:`BootFailed` where all this takes more than ``timeout`` seconds.
        """
        image = ensure_image(self.platform)
        deadline = time.monotonic() + timeout
        with lock(f"machine-{self.name}"):
            if not self.qemu.wait_off(self.port, timeout=timeout / 2):
                raise self.qemu.failure(f"{self.name} did not shut down")
            self._power_on(image, self.port, timeout=deadline - time.monotonic())
        return self._transport(image)

    def down(self) -> None:
        """Stop it and remove its disk. Harmless where it does not run."""
        with lock(f"machine-{self.name}"):
            if self.directory.exists():
                self.qemu.stop()
                shutil.rmtree(self.directory)

    def reset(self) -> Transport:
        """Replace it by a new machine of the same name on the same port, with a new disk."""
        image = ensure_image(self.platform)
        with lock(f"machine-{self.name}"):
            self._start(image, self.port)
        return self._transport(image)

    def _power_on(self, image: Image, port: int, *, timeout: float = COLD_BOOT) -> None:
        """Boot it from the disks it has."""
        port = port or self.port
        with step(f"switching {self.name} on", about=25):
            self.qemu.start(self.recipe, image, port, None)
            self._note_port(port)
            self.qemu.wait_ready(timeout=timeout)

    def _start(self, image: Image, port: int) -> None:
        """Start it from the snapshot. Where that fails, take a new snapshot and start again.

        A snapshot can fail after an upgrade of QEMU, for example.
        """
        recipe = self.recipe  # raises where it cannot be made, before anything is changed
        if port and port != self.port:
            require_free_port(port)  # before a running board is stopped
        if self.directory.exists():
            self.qemu.stop()
        self.directory.mkdir(parents=True, exist_ok=True)
        port = port or free_port()
        snapshot_dir = ensure_snapshot(image, recipe)
        try:
            self._restore(image, snapshot_dir, port)
        except BootFailed:
            self.qemu.stop()
            shutil.rmtree(snapshot_dir)
            self._restore(image, ensure_snapshot(image, recipe), port)

    def _restore(self, image: Image, snapshot_dir: Path, port: int) -> None:
        new_disk(snapshot_dir / "disk.qcow2", self.directory / "disk.qcow2")
        if self.recipe.firmware:
            shutil.copy(snapshot_dir / "firmware.img", self.directory)
        self._note_port(port)
        self.qemu.start(self.recipe, image, port, snapshot_dir / "memory")
        self.qemu.wait_ready(timeout=RESTORE)

    @property
    def _state_file(self) -> Path:
        return self.directory / "machine.json"

    def _note_port(self, port: int) -> None:
        # In one step: other processes read the port without the lock.
        write_atomic(self._state_file, json.dumps({"port": port}))

    def _transport(self, image: Image) -> Transport:
        return ssh_transport(image, self.name, self.port)


def machines() -> list[VirtualMachine]:
    """The virtual machines that have a directory, running or not."""
    directory = cache_dir() / "machines"
    return [VirtualMachine(path.name) for path in sorted(directory.glob("*")) if path.is_dir()]


def virtual_board(name: str, *, port: int = 0) -> Board | None:
    """The virtual board of that name, started; None where its platform does not exist."""
    machine = VirtualMachine(name)
    if name.partition("@")[0] not in platforms.names():
        return None
    return Board(name, machine.up(port=port), platform=machine.platform.name, machine=machine)


_SERIAL = itertools.count(1)  # no two temporary boards of a process are the same machine


@contextmanager
def temporary_board(
    platform: str, *, cpu: str = "", virtualization: bool = False
) -> Iterator[Board]:
    """A new virtual board for the length of a ``with`` block; it is removed at the end.

    See :class:`VirtualMachine` for ``cpu`` and ``virtualization``. The first board with such
    hardware boots in 15 to 20 seconds; later ones start from its snapshot in about one. Raises
    :class:`VirtualError` where the core lacks the page size of the platform's kernel.

    >>> with temporary_board("debian-12", cpu="cortex-a72") as old:    # doctest: +SKIP
    ...     print("atomics" in old.facts.features)
    False
    """
    core = cpu.partition(",")[0] or "temporary"  # what follows a comma are features of the core
    name = f"{platform}@{core}-{os.getpid()}.{next(_SERIAL)}"
    machine = VirtualMachine(name, cpu, virtualization)
    try:
        with Board(name, machine.up(), platform=platform, machine=machine) as board:
            yield board
    finally:
        machine.down()


def _require_page_size(recipe: VirtualSpec) -> None:
    """Raise :class:`VirtualError` where the core lacks the page size of the recipe's kernel."""
    core = recipe.cpu.partition(",")[0]
    if recipe.kernel.endswith("-16k") and core in _WITHOUT_16_KIB:
        raise VirtualError(
            f"{core} has no pages of 16 KiB, and {recipe.kernel} has no others",
            expected="a core that has them, such as cortex-a76",
            hint='take another platform, as in temporary_board("debian-12", cpu=...)',
        )
