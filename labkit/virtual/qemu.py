"""One QEMU process: its command line, its start, its end."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import BootFailed, PortInUse, VirtualError
from labkit.platforms import VirtualSpec
from labkit.virtual import firmware
from labkit.virtual import tools as programs
from labkit.virtual.firmware import Boot
from labkit.virtual.images import Image
from labkit.virtual.qmp import Qmp, answers

__all__ = ["Qemu", "free_port", "require_free", "snapshot_key", "version"]


# The kernel's last words, printed whatever its log level.
_OFF = re.compile(rb"reboot: (Power down|Restarting system|System halted)")


def hardware(recipe: VirtualSpec, image: Image, boot: Boot | None) -> list[str]:
    """The machine as the guest sees it: what a snapshot depends on, and no more.

    ``boot`` is what the firmware decided, where we play one.
    """
    second = ("-device", "virtio-blk-pci,drive=firmware,romfile=") if boot else ()
    return [
        *("-M", recipe.machine, "-accel", "tcg,thread=multi"),
        *("-cpu", recipe.cpu, "-smp", str(recipe.cpus), "-m", str(recipe.memory)),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-kernel", str(image.directory / "kernel"), "-initrd", str(image.directory / "initrd")),
        *("-append", boot.command_line if boot else recipe.command_line),
        *("-device", "virtio-blk-pci,drive=disk,romfile="),
        *second,
        *("-device", "virtio-net-pci,netdev=net,romfile="),
        *("-device", "virtio-rng-pci"),
        *("-device", "virtio-serial-pci", "-device", "virtconsole,chardev=wake"),
    ]


@functools.cache
def version() -> str:
    """What the QEMU on this machine calls itself."""
    line = [programs.command("qemu-system-aarch64"), "--version"]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def snapshot_key(recipe: VirtualSpec, image: Image, boot: Boot | None) -> str:
    """What a snapshot belongs to: this QEMU, this hardware, and the firmware's decisions."""
    decided = firmware.fingerprint(recipe, boot) if boot else repr(boot)
    text = "\n".join([version(), *hardware(recipe, image, boot), decided])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Qemu:
    """The process of one machine, found again by its control socket.

    ``directory`` holds the machine's disk and logs. Sockets lie in a private folder of the
    system's temporary place, for their names may be only a hundred letters long.
    """

    directory: Path

    @property
    def console(self) -> Path:
        """What the machine's kernel and system printed."""
        return self.directory / "console.log"

    def socket(self, name: str) -> Path:
        """The path of one of this machine's sockets."""
        private = Path(tempfile.gettempdir()) / f"labkit-{os.getuid()}"
        private.mkdir(mode=0o700, exist_ok=True)
        if private.stat().st_uid != os.getuid():
            raise VirtualError(f"{private} belongs to another user", hint="set TMPDIR")
        return private / f"{hashlib.sha256(str(self.directory).encode()).hexdigest()[:12]}.{name}"

    def alive(self) -> bool:
        """Whether the machine runs."""
        return answers(self.socket("qmp"))

    def start(self, recipe: VirtualSpec, image: Image, port: int, memory: Path | None) -> None:
        """Start the machine on ``disk.qcow2`` in its folder, from ``memory`` where given.

        Where we play its firmware, that comes first, and reads ``firmware.img``. Its SSH
        answers on ``port`` of 127.0.0.1. Raises :class:`PortInUse`, :class:`BootFailed`.
        """
        require_free(port)
        line = [
            programs.command("qemu-system-aarch64"),
            *self._powered(recipe, image, memory),
            *("-drive", f"if=none,id=disk,file={self.directory / 'disk.qcow2'},cache=unsafe"),
            *("-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22"),
            *("-chardev", f"socket,id=wake,path={self.socket('wake')},server=on,wait=off"),
            *("-serial", f"file:{self.console}"),
            *("-qmp", f"unix:{self.socket('qmp')},server=on,wait=off"),
            *("-pidfile", str(self.directory / "qemu.pid")),
            *(("-incoming", f"exec:cat {shlex.quote(str(memory))}") if memory else ()),
        ]
        self._launch(line)
        if memory:
            try:
                with Qmp(self.socket("qmp")) as machine:
                    machine.resume()
            except (OSError, VirtualError) as broken:
                raise self.failure("QEMU cannot read the snapshot") from broken

    def _powered(self, recipe: VirtualSpec, image: Image, memory: Path | None) -> list[str]:
        """The words of the hardware, after the firmware has had its turn.

        A machine that goes on from ``memory`` has its device tree: it lies beside it.
        """
        if not recipe.firmware:
            return hardware(recipe, image, None)
        disk = self.directory / "firmware.img"
        boot = firmware.boot_config_from_disk(disk)
        firmware.say(boot)
        if memory:
            tree = memory.with_name(firmware.TREE)
        else:
            tree = firmware.write_device_tree(recipe, boot, self.directory)
        drive = f"if=none,id=firmware,file={disk},format=raw,cache=unsafe"
        return [*hardware(recipe, image, boot), "-dtb", str(tree), "-drive", drive]

    def ended(self, port: int, *, within: float) -> bool:
        """Whether the machine is off and ``port`` free, or will be within so many seconds."""
        until = time.monotonic() + within
        process = self._process_id()
        if process is not None and not _ended(process, within=within):
            return False
        # QEMU takes its process id away before it closes its sockets.
        while True:
            with suppress(PortInUse):
                require_free(port)
                return True
            if time.monotonic() > until:
                return False
            time.sleep(0.05)

    @property
    def guest_powered_off(self) -> bool:
        """Whether it is off because its own system switched it off, or began a reboot."""
        if self.alive() or not self.console.exists():
            return False
        with self.console.open("rb") as log:
            log.seek(-min(4096, self.console.stat().st_size), os.SEEK_END)
            return bool(_OFF.search(log.read()))

    def stop(self) -> None:
        """End the machine at once, as pulling the plug does. Harmless where none runs."""
        with suppress(OSError, VirtualError), Qmp(self.socket("qmp"), timeout=2.0) as machine:
            machine.ask("quit")
        process = self._process_id()
        if process is not None and not _ended(process, within=3.0):
            os.kill(process, signal.SIGKILL)
            _ended(process, within=3.0)
        (self.directory / "qemu.pid").unlink(missing_ok=True)

    def wake(self, *, timeout: float) -> None:
        """Tell the machine the time, give it randomness; it answers once its SSH is up.

        A cold machine reads this only at the end of its boot, so it is said again, each
        time with more patience, and only the answer to the last word counts: with it, no
        older word is left over for a machine restored from this one's snapshot.
        Raises :class:`BootFailed` with the place of the console's log.
        """
        until = time.monotonic() + timeout
        patience = 1.0
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.socket("wake")))
            while time.monotonic() < until:
                now = f"{time.time():.3f}"
                line.sendall(f"{now} {os.urandom(32).hex()}\n".encode())
                try:
                    if _hears(line, f"awake {now}".encode(), patience):
                        return
                except ConnectionError as ended:
                    raise self.failure("the machine ended while it booted") from ended
                patience += 0.5
        raise self.failure(f"the machine was not up after {timeout:.0f} s")

    def failure(self, what: str) -> BootFailed:
        """An error that points to the console's log, and quotes the end of it."""
        lines = (
            self.console.read_text(errors="replace").split("\n") if self.console.exists() else []
        )
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        quote = f" (its last words: {said[-120:]})" if said else ""
        return BootFailed(what + quote, expected="a login over SSH", hint=f"less {self.console}")

    def _launch(self, line: Sequence[str]) -> None:
        """Start a process of its own session, so that it outlives us and our Ctrl-C."""
        complaints = self.directory / "qemu.log"
        with complaints.open("wb") as log:
            process = subprocess.Popen(
                line,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + 10
        while not answers(self.socket("qmp")):
            if process.poll() is not None or time.monotonic() > until:
                said = complaints.read_text(errors="replace").strip().splitlines() or ["no word"]
                raise BootFailed(f"QEMU did not start: {said[-1]}", hint=f"less {complaints}")
            time.sleep(0.02)
        process.returncode = 0  # it is to outlive us: no warning that it does

    def _process_id(self) -> int | None:
        """The process, if it is one and is QEMU: numbers are used again."""
        try:
            number = int((self.directory / "qemu.pid").read_text())
        except (OSError, ValueError):
            return None
        return number if str(self.directory) in _asked(number, "command") else None


def free_port() -> int:
    """A port of 127.0.0.1 nobody listens on now."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


def require_free(port: int) -> None:
    """Raise :class:`PortInUse` where somebody listens on that port of 127.0.0.1."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError as taken:
            raise PortInUse(
                f"port {port} of this machine is in use",
                expected="a free one for the board's SSH",
                hint="labkit board up NAME --port OTHER, or leave --port out",
            ) from taken


def _hears(line: socket.socket, wanted: bytes, patience: float) -> bool:
    """Whether a word comes over the line within so many seconds."""
    until = time.monotonic() + patience
    heard = b""
    while wanted not in heard:
        line.settimeout(max(until - time.monotonic(), 0.001))
        try:
            more = line.recv(4096)
        except TimeoutError:
            return False
        if not more:
            raise ConnectionError
        heard += more
    return True


def _ended(process: int, *, within: float) -> bool:
    """Whether a process is gone, or goes within so many seconds."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        with suppress(ChildProcessError):
            os.waitpid(process, os.WNOHANG)  # ours, if we started it: do not leave a zombie
        state = _asked(process, "stat")
        # A zombie (Z) is gone too: the process that started it just has not asked for it yet.
        if not state or state.startswith("Z"):
            return True
        time.sleep(0.02)
    return False


def _asked(process: int, what: str) -> str:
    """What ps says of a process, whole (-ww); nothing where there is none."""
    line = ["ps", "-ww", "-o", f"{what}=", "-p", str(process)]
    return subprocess.run(line, capture_output=True, text=True, check=False).stdout.strip()
