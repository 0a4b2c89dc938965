"""Snapshots: memory and disk of a machine that has booted. Boards start from them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import time
from pathlib import Path

from labkit.boards.board import Board
from labkit.files import lock
from labkit.platforms import VirtualSpec
from labkit.virtual import firmware, qemu, tools
from labkit.virtual.images import Image
from labkit.virtual.login import ssh_transport
from labkit.virtual.qemu import Qemu
from labkit.virtual.qmp import Qmp
from labkit.virtual.steps import step

__all__ = ["COLD_BOOT", "ensure_snapshot", "new_disk"]

COLD_BOOT = 180.0
"""Seconds that a cold boot may take. It takes about 17 on two cores of an x86-64 server."""


def ensure_snapshot(image: Image, recipe: VirtualSpec) -> Path:
    """The directory of the snapshot of an image on this hardware, taken now where there is none.

    It holds ``memory``, ``disk.qcow2`` and, with an emulated firmware, ``firmware.img``.
    Raises :class:`BootFailed`.
    """
    directory = image.directory / "snapshots" / _key(image, recipe)
    with lock(f"snapshot-{image.directory.name}"):
        if not directory.exists():
            part_dir = directory.with_name(f".{directory.name}")
            Qemu(part_dir).stop()
            shutil.rmtree(part_dir, ignore_errors=True)
            part_dir.mkdir(parents=True)
            with step("booting it once, for a snapshot", about=25):
                _take(image, recipe, part_dir)
            part_dir.rename(directory)
    return directory


def new_disk(backing: Path, disk: Path) -> None:
    """Create an empty disk over another one: writes go to the new disk only."""
    disk.unlink(missing_ok=True)
    subprocess.run(
        [
            *(tools.command("qemu-img"), "create", "-q", "-f", "qcow2"),
            *("-F", "qcow2", "-b", str(backing), str(disk)),
        ],
        check=True,
    )


def _key(image: Image, recipe: VirtualSpec) -> str:
    """What a snapshot depends on, as a digest: QEMU's version, the hardware, the firmware."""
    boot = firmware.boot_config_from_disk(recipe.firmware, None) if recipe.firmware else None
    fingerprint = firmware.fingerprint(recipe, boot) if boot else repr(boot)
    text = "\n".join([qemu.version(), *qemu.hardware(recipe, image, boot), fingerprint])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _take(image: Image, recipe: VirtualSpec, directory: Path) -> None:
    machine = Qemu(directory)
    port = qemu.free_port()
    new_disk(image.directory / "disk.qcow2", directory / "disk.qcow2")
    if recipe.firmware:
        firmware.new_disk(directory / "firmware.img")
    try:
        machine.start(recipe, image, port, None)
        machine.wait_ready(timeout=COLD_BOOT)
        # One login before the snapshot: what a login reads is then in the page cache.
        with Board("warm-up", ssh_transport(image, "warm-up", port)) as board:
            board.read_many(["/proc/cpuinfo"])
            board.check("sudo -n true; sha256sum /etc/hostname; sync")
        time.sleep(1.0)  # the processes of that login end in this time
        with Qmp(machine.socket("qmp")) as control:
            control.save_state(directory / "memory")
    finally:
        machine.stop()
