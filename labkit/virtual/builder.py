"""Building an image: packages to a file system, a first RAM disk, a manifest.

Built in a folder whose name begins with a dot and renamed at the end, so that a build
ended half-way leaves nothing that is mistaken for an image; the next build sweeps it away.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from labkit.errors import DiskFull, ImageBuildFailed, VirtualError
from labkit.files import sha256_file
from labkit.platforms import Platform, VirtualSpec
from labkit.tools import EXTRA_PATH, require
from labkit.virtual import guest, images
from labkit.virtual import tools as programs
from labkit.virtual.images import Image
from labkit.virtual.progress import step

__all__ = ["build"]

DEBIAN = "http://deb.debian.org/debian"
"""Where backports come from, unless LABKIT_MIRROR names another mirror."""

SPACE = 3 << 30
"""Bytes a build needs: the packages, the file system twice, the image."""


def build(platform: Platform) -> Image:
    """Build a platform's image, in place of an earlier one, and give it.

    Raises :class:`VirtualError` where the platform has no recipe, :class:`ToolNotFound`,
    :class:`DiskFull`, :class:`ImageBuildFailed`.
    """
    recipe = platform.virtual
    if recipe is None:
        raise VirtualError(
            f"labkit has no recipe for a virtual {platform.title}",
            expected="a board of your own",
            hint=f"labkit board add NAME HOST --platform {platform.name}",
        )
    require((*programs.RUN, *programs.BUILD))
    programs.register_binfmt()
    directory = images.images_dir()
    directory.mkdir(parents=True, exist_ok=True)
    images.require_space(directory, SPACE)
    name = f"{platform.name}-{images.recipe_digest(platform)}"
    for left in directory.glob(f".build-{name}-*"):  # ours: the caller holds the image's lock
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix=f".build-{name}-") as room:
        image = _Build(platform, recipe, Path(room)).image()
        shutil.rmtree(directory / name, ignore_errors=True)
        (Path(room) / "image").rename(directory / name)
    return image


class _Build:
    """One build in one folder: ``room`` for what is only needed on the way, ``image`` in it."""

    def __init__(self, platform: Platform, recipe: VirtualSpec, room: Path) -> None:
        self.platform = platform
        self.recipe = recipe
        self.room = room
        self.log = images.images_dir() / f"{platform.name}-build.log"
        self.log.write_bytes(b"")
        self.result = room / "image"
        self.result.mkdir()
        room.chmod(0o755)  # apt fetches as a user of its own

    def image(self) -> Image:
        login_key = self._new_key(self.result / "login_key", "labkit")
        host_key = self._new_key(self.room / "host_key", self.platform.name)
        with (self.room / "guest.tar").open("wb") as tree:
            guest.write_tree(
                tree,
                hostname=self.platform.name,
                host_key=(self.room / "host_key").read_text(encoding="utf-8"),
                host_key_public=host_key,
                login_key=login_key,
                firmware=self.recipe.firmware,
            )
        with step(f"{self.platform.title}: installing packages", about=110):
            self._install()
        with step("making the disk and the first RAM disk", about=15):
            release = self._make_disk()
        found = {name: self.result / name for name in images.FILES}
        image = Image(
            platform=self.platform.name,
            recipe=images.recipe_digest(self.platform),
            release=release,
            built=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            host_key=" ".join(host_key.split()[:2]),
            files={name: (sha256_file(path), path.stat().st_size) for name, path in found.items()},
        )
        images.write_manifest(image, self.result)
        return image

    def _new_key(self, path: Path, comment: str) -> str:
        self._do(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
        public = path.with_suffix(".pub")
        text = public.read_text(encoding="utf-8").strip()
        public.unlink()
        return text

    def _install(self) -> None:
        """A root file system as a tar archive, from the distribution's own packages."""
        mirror = os.environ.get("LABKIT_MIRROR", "").split()
        more = []
        if self.recipe.backports:
            # apt takes from there what no other suite has: the kernel, as the recipe wants it.
            where = mirror[0] if mirror[:1] and "://" in mirror[0] else DEBIAN
            line = f"deb {where} {self.recipe.backports} main"
            more = [f'--setup-hook=echo "{line}" >"$1/etc/apt/sources.list.d/backports.list"']
        packages = [*guest.PACKAGES, *self.recipe.include, self.recipe.kernel]
        login = guest.LOGIN
        self._do(
            [
                programs.command("mmdebstrap"),
                *("--arch=arm64", "--format=tar", *guest.OPTIONS, *more),
                # Before the packages: an SSH server that finds its key makes none.
                f"--essential-hook=tar-in {self.room / 'guest.tar'} /",
                f"--include={','.join(packages)}",
                f'--customize-hook=chroot "$1" useradd --shell /bin/bash --user-group {login}',
                f'--customize-hook=chroot "$1" chown -R {login}: /home/{login}',
                self.recipe.suite,
                str(self.room / "root.tar"),
                *mirror,
            ]
        )

    def _make_disk(self) -> str:
        """Disk, kernel and initrd from the archive; gives the kernel's release."""
        script = files("labkit.virtual").joinpath("compose.sh").read_text(encoding="utf-8")
        (self.room / "init").write_text(guest.read("init"), encoding="utf-8")
        # The archive's files have many owners: root lays them out, or a user as root of a
        # namespace of their own.
        shell = ["sh", "-eu", "-c", script, "compose", f"{self.recipe.disk}M"]
        if os.geteuid() != 0:
            shell = ["unshare", "--map-root-user", "--map-auto", *shell]
        self._do(shell, cwd=self.room)
        self._do(
            [
                *(programs.command("qemu-img"), "convert", "-q", "-W", "-O", "qcow2"),
                *(str(self.room / "disk.raw"), str(self.result / "disk.qcow2")),
            ]
        )
        for name in ("kernel", "initrd"):
            (self.room / name).rename(self.result / name)
        return (self.room / "release").read_text(encoding="utf-8").strip()

    def _do(self, words: Sequence[str], *, cwd: Path | None = None) -> None:
        """Run one program, its output in the log. Raises :class:`ImageBuildFailed`."""
        path = os.pathsep.join([os.environ.get("PATH", os.defpath), *EXTRA_PATH])
        env = {**os.environ, "PATH": path, "LC_ALL": "C"}
        if os.geteuid() == 0:
            # What mmdebstrap leaves when killed goes with this folder. (Not for others: it
            # works as another user then, who cannot come here.)
            env["TMPDIR"] = str(self.room)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*_lifeline(), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=cwd,
                env=env,
                # mmdebstrap, told to end, ends its whole group: that must not be ours.
                start_new_session=True,
            )
            try:
                status = process.wait()
            except BaseException:  # Ctrl-C: let it take down what it mounted
                _end_group(process)
                raise
        if status:
            raise self._failure(Path(words[0]).name)

    def _failure(self, program: str) -> VirtualError:
        """What the log says went wrong, in one line."""
        text = self.log.read_text(errors="replace")
        if "No space left on device" in text:
            images.require_space(self.room, SPACE)
            return DiskFull(f"{self.room.parent} ran out of room", expected="3 GiB free")
        complaints = [
            line for line in text.splitlines() if line.startswith(("E:", "W: GPG", "Err:"))
        ]
        mirror = any(word in text for word in ("Could not resolve", "Failed to fetch", "Err:"))
        if mirror:
            return ImageBuildFailed(
                f"no package mirror of {self.platform.title} answers from here",
                expected=f"one that has {self.recipe.suite} for arm64",
                hint=f"check the network, or set LABKIT_MIRROR; the log is {self.log}",
            )
        last = complaints[-1] if complaints else (text.strip().splitlines() or ["no word"])[-1]
        return ImageBuildFailed(f"{program} failed: {last}", hint=f"read {self.log}")


def _lifeline() -> list[str]:
    """The words before a command that let it not outlive us, should we be killed.

    As root, mmdebstrap mounts this machine's /sys and /dev/pts into what it builds. In
    namespaces of its own the mounts and every process are gone with it, however it ends.
    Without them they would outlive a kill, and the next build's sweep would walk into them.
    """
    if os.geteuid() == 0:
        alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        return ["setpriv", "--pdeathsig", "KILL", *alone]
    return ["setpriv", "--pdeathsig", "TERM"]


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a program and all it started: ask, and insist after ten seconds."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal_number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
            return
