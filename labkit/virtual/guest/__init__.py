"""The files that labkit puts on a virtual board's disk, as one tar archive for mmdebstrap."""

from __future__ import annotations

import io
import tarfile
from importlib.resources import files
from typing import IO

__all__ = ["OPTIONS", "PACKAGES", "USER", "read", "write_tree"]

USER = "lab"
"""The account on a virtual board. It may use sudo, like the first account of a Raspberry Pi."""

_EXCLUDED = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")

OPTIONS = (
    "--variant=essential",
    '--aptopt=Acquire::Languages "none"',
    "--dpkgopt=force-unsafe-io",
    *(f"--dpkgopt=path-exclude={path}" for path in _EXCLUDED),
    # The package lists stay: the labs query them for what the distribution offers.
    "--skip=cleanup/apt/lists",
)
"""mmdebstrap's options."""

PACKAGES = (
    "systemd-sysv",
    "udev",
    "dbus",
    "openssh-server",
    "openssh-sftp-server",
    "iproute2",
    "kmod",
    "procps",
    "netbase",
    "sudo",
    "busybox-static",
    "tiny-initramfs",
)
"""The packages of every board, for its boot and its SSH login. A platform's file adds more.

tiny-initramfs replaces the distribution's own generator of initial RAM disks. That one takes
minutes under emulation, and a virtual board does not boot its result.
"""

_ROOT, _LAB = 0, 1000  # user ids

# Units for machines that run for years. A board that lives for minutes only loses time to them.
_MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@tty1.service",
    "serial-getty@ttyAMA0.service",
    "serial-getty@hvc0.service",
    "systemd-networkd-wait-online.service",
    "systemd-timesyncd.service",
)


def read(name: str) -> str:
    """The text of a file beside this module."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def write_tree(
    target: IO[bytes],
    *,
    hostname: str,
    host_key: str,
    host_key_public: str,
    login_key: str,
    firmware: bool = False,
) -> None:
    """Write the archive. Keys are in OpenSSH's text form; ``login_key`` is a public key.

    With ``firmware`` the second disk is mounted at /boot/firmware, as on a Raspberry Pi.
    """
    disks = "/dev/vda / ext4 defaults,noatime 0 1\n"
    if firmware:
        disks += "/dev/vdb /boot/firmware vfat defaults 0 2\n"
    units = "etc/systemd/system"
    wants = f"{units}/multi-user.target.wants"
    with tarfile.open(fileobj=target, mode="w") as tree:
        _file(tree, "etc/hostname", f"{hostname}\n")
        _file(tree, "etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {hostname}\n::1 localhost\n")
        _file(tree, "etc/fstab", disks)
        _file(tree, "etc/resolv.conf", "nameserver 10.0.2.3\n")
        _file(tree, "etc/systemd/network/wired.network", read("wired.network"))
        _file(tree, "etc/ssh/sshd_config.d/labkit.conf", read("sshd.conf"))
        _file(tree, "etc/ssh/ssh_host_ed25519_key", host_key, mode=0o600)
        _file(tree, "etc/ssh/ssh_host_ed25519_key.pub", f"{host_key_public}\n")
        _file(tree, "etc/sudoers.d/lab", f"{USER} ALL=(ALL) NOPASSWD: ALL\n", mode=0o440)
        _file(tree, "usr/local/lib/labkit-wake", read("labkit-wake"), mode=0o755)
        _file(tree, f"{units}/labkit-wake.service", read("labkit-wake.service"))
        _link(tree, f"{wants}/labkit-wake.service", "../labkit-wake.service")
        _link(
            tree,
            f"{wants}/systemd-networkd.service",
            "/lib/systemd/system/systemd-networkd.service",
        )
        for unit in _MASKED:
            _link(tree, f"{units}/{unit}", "/dev/null")
        _directory(tree, f"home/{USER}/.ssh")
        _file(tree, f"home/{USER}/.ssh/authorized_keys", f"{login_key}\n", mode=0o600, owner=_LAB)


def _entry(name: str, mode: int, owner: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode, info.uid, info.gid = mode, owner, owner
    return info


def _file(
    tree: tarfile.TarFile, name: str, text: str, *, mode: int = 0o644, owner: int = _ROOT
) -> None:
    info = _entry(name, mode, owner)
    info.size = len(text.encode())
    tree.addfile(info, io.BytesIO(text.encode()))


def _link(tree: tarfile.TarFile, name: str, target: str) -> None:
    info = _entry(name, 0o777, _ROOT)
    info.type, info.linkname = tarfile.SYMTYPE, target
    tree.addfile(info)


def _directory(tree: tarfile.TarFile, name: str) -> None:
    info = _entry(name, 0o700, _LAB)
    info.type = tarfile.DIRTYPE
    tree.addfile(info)
