"""One QEMU process: its command line, its start, its end."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shlex
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
from labkit.virtual import firmware, tools
from labkit.virtual.firmware import BootConfig
from labkit.virtual.images import Image
from labkit.virtual.qmp import Qmp, is_alive

__all__ = ["Qemu", "free_port", "hardware", "require_free_port", "version"]

# The last line of a kernel that stops, printed at every log level.
_POWER_OFF = re.compile(rb"reboot: (Power down|Restarting system|System halted)")

# QEMU 7.2 finds translated code by its virtual address. Where the guest randomizes addresses, each
# process has its programs and libraries translated anew: some 10 000 blocks a command (`info jit`
# of QEMU's monitor), 3 with this parameter, and a command takes half the time. It comes first:
# what follows a `--` in cmdline.txt is for init.
_SAME_ADDRESSES = "norandmaps"


def hardware(recipe: VirtualSpec, image: Image, boot: BootConfig | None) -> list[str]:
    """QEMU's arguments for the machine as the guest sees it: all that a snapshot depends on.

    ``boot`` is the result of the emulated firmware, or None where the platform has none.
    """
    command_line = boot.command_line if boot else recipe.command_line
    firmware_disk = ("-device", "virtio-blk-pci,drive=firmware,romfile=") if boot else ()
    return [
        *("-M", recipe.machine, "-accel", "tcg,thread=multi"),
        *("-cpu", recipe.cpu, "-smp", str(recipe.cpus), "-m", str(recipe.memory)),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-kernel", str(image.directory / "kernel"), "-initrd", str(image.directory / "initrd")),
        *("-append", f"{_SAME_ADDRESSES} {command_line}"),
        *("-device", "virtio-blk-pci,drive=disk,romfile="),
        *firmware_disk,
        *("-device", "virtio-net-pci,netdev=net,romfile="),
        *("-device", "virtio-rng-pci"),
        *("-device", "virtio-serial-pci", "-device", "virtconsole,chardev=wake"),
    ]


@functools.cache
def version() -> str:
    """The first line that the QEMU of this machine prints for ``--version``."""
    argv = [tools.command("qemu-system-aarch64"), "--version"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()[0]


@dataclass(frozen=True)
class Qemu:
    """The QEMU process of one machine. Any labkit process finds it by its control socket.

    ``directory`` holds the machine's disk and logs. The sockets lie in a private directory
    under the system's temporary one, because the path of a socket has at most about a hundred
    bytes.
    """

    directory: Path

    @property
    def console(self) -> Path:
        """The log of the serial console: what the guest's kernel and system printed."""
        return self.directory / "console.log"

    def socket(self, name: str) -> Path:
        """The path of one of this machine's sockets: ``qmp`` or ``wake``."""
        private_dir = Path(tempfile.gettempdir()) / f"labkit-{os.getuid()}"
        private_dir.mkdir(mode=0o700, exist_ok=True)
        if private_dir.stat().st_uid != os.getuid():
            raise VirtualError(f"{private_dir} belongs to another user", hint="set TMPDIR")
        digest = hashlib.sha256(str(self.directory).encode()).hexdigest()[:12]
        return private_dir / f"{digest}.{name}"

    def is_alive(self) -> bool:
        """Whether the machine runs."""
        return is_alive(self.socket("qmp"))

    def start(self, recipe: VirtualSpec, image: Image, port: int, memory: Path | None) -> None:
        """Start the machine on the ``disk.qcow2`` of its directory.

        ``memory`` is the saved state of a machine that has booted; None for a cold boot. Where
        the platform's firmware is emulated, it reads ``firmware.img`` first. The guest's SSH
        server answers on ``port`` of 127.0.0.1. Raises :class:`PortInUse`, :class:`BootFailed`.
        """
        require_free_port(port)
        argv = [
            tools.command("qemu-system-aarch64"),
            *self._machine_argv(recipe, image, memory),
            *("-drive", f"if=none,id=disk,file={self.directory / 'disk.qcow2'},cache=unsafe"),
            *("-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22"),
            *("-chardev", f"socket,id=wake,path={self.socket('wake')},server=on,wait=off"),
            *("-serial", f"file:{self.console}"),
            *("-qmp", f"unix:{self.socket('qmp')},server=on,wait=off"),
            *("-pidfile", str(self._pid_file)),
            *(("-incoming", f"exec:cat {shlex.quote(str(memory))}") if memory else ()),
        ]
        self._launch(argv)
        if memory:
            try:
                with Qmp(self.socket("qmp")) as machine:
                    machine.resume()
            except (OSError, VirtualError) as error:
                raise self.failure("QEMU cannot read the snapshot") from error

    def wait_ready(self, *, timeout: float) -> None:
        """Send the time and a random seed to the machine until it answers; then its SSH is up.

        The service guest/labkit-wake reads them at the end of a boot. So a cold machine is sent
        several lines, after longer and longer waits. Only the answer to the last line counts:
        then no earlier line is left for a machine that is restored from this one's snapshot.
        Raises :class:`BootFailed`, which names the console's log.
        """
        deadline = time.monotonic() + timeout
        wait = 1.0
        try:
            with socket.socket(socket.AF_UNIX) as channel:
                channel.connect(str(self.socket("wake")))
                while time.monotonic() < deadline:
                    now = f"{time.time():.3f}"
                    channel.sendall(f"{now} {os.urandom(32).hex()}\n".encode())
                    if _receives(channel, f"awake {now}".encode(), timeout=wait):
                        return
                    wait += 0.5
        except OSError as error:
            raise self.failure("the machine ended while it booted") from error
        raise self.failure(f"the machine was not up after {timeout:.0f} s")

    def wait_off(self, port: int, *, timeout: float) -> bool:
        """Whether the machine is off and ``port`` free, now or within ``timeout`` seconds."""
        # Imported here: psutil would slow `import labkit` down.
        from labkit.virtual import pidfile

        deadline = time.monotonic() + timeout
        if not pidfile.wait_gone(self._pid_file, timeout=timeout):
            return False
        # QEMU removes its PID file before it closes its sockets.
        while True:
            with suppress(PortInUse):
                require_free_port(port)
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)

    @property
    def guest_powered_off(self) -> bool:
        """Whether it is off because its own system has switched it off, or began a reboot."""
        if self.is_alive() or not self.console.exists():
            return False
        with self.console.open("rb") as log:
            log.seek(-min(4096, self.console.stat().st_size), os.SEEK_END)
            return bool(_POWER_OFF.search(log.read()))

    def stop(self) -> None:
        """End the machine at once, as a power cut does. Harmless where none runs."""
        from labkit.virtual import pidfile

        with suppress(OSError, VirtualError), Qmp(self.socket("qmp"), timeout=2.0) as machine:
            machine.execute("quit")
        pidfile.end(self._pid_file)
        self._pid_file.unlink(missing_ok=True)

    def failure(self, message: str) -> BootFailed:
        """The error to raise: it names the console's log and quotes the last line of it."""
        text = self.console.read_text(errors="replace") if self.console.exists() else ""
        last_line = next((line for line in reversed(text.splitlines()) if line.strip()), "").strip()
        quote = f" (last line of the console: {last_line[-120:]})" if last_line else ""
        return BootFailed(message + quote, expected="a login over SSH", hint=f"less {self.console}")

    @property
    def _pid_file(self) -> Path:
        return self.directory / "qemu.pid"

    def _machine_argv(self, recipe: VirtualSpec, image: Image, memory: Path | None) -> list[str]:
        """The arguments for the hardware. The emulated firmware decides some of them."""
        if not recipe.firmware:
            return hardware(recipe, image, None)
        disk = self.directory / "firmware.img"
        boot = firmware.boot_config_from_disk(recipe.firmware, disk)
        firmware.print_notes(boot)
        if memory:  # the device tree of that machine lies beside its memory
            tree = memory.with_name(firmware.TREE)
        else:
            tree = firmware.write_device_tree(recipe, boot, self.directory)
        drive = f"if=none,id=firmware,file={disk},format=raw,cache=unsafe"
        return [*hardware(recipe, image, boot), "-dtb", str(tree), "-drive", drive]

    def _launch(self, argv: Sequence[str]) -> None:
        """Start QEMU in a session of its own: it outlives this process and ignores its Ctrl-C."""
        log_path = self.directory / "qemu.log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 10
        while not self.is_alive():
            if process.poll() is not None or time.monotonic() > deadline:
                lines = log_path.read_text(errors="replace").strip().splitlines()
                last_line = lines[-1] if lines else "it printed nothing"
                raise BootFailed(f"QEMU did not start: {last_line}", hint=f"less {log_path}")
            time.sleep(0.02)
        process.returncode = 0  # no warning that it still runs: it outlives this process


def free_port() -> int:
    """A port of 127.0.0.1 on which no program listens now."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


def require_free_port(port: int) -> None:
    """Raise :class:`PortInUse` where a program listens on that port of 127.0.0.1."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortInUse(
                f"port {port} of this machine is in use",
                expected="a free one for the board's SSH",
                hint="labkit board up NAME --port OTHER, or leave --port out",
            ) from error


def _receives(channel: socket.socket, expected: bytes, *, timeout: float) -> bool:
    """Whether ``expected`` arrives within ``timeout`` seconds. Raises ConnectionError at an end."""
    deadline = time.monotonic() + timeout
    received = b""
    while expected not in received:
        channel.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            data = channel.recv(4096)
        except TimeoutError:
            return False
        if not data:
            raise ConnectionError("the machine closed the channel")
        received += data
    return True
