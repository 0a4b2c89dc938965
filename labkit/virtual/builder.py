"""Building an image: packages to a file system, an initial RAM disk, a manifest.

The build works in a directory whose name begins with a dot, and renames the result at the end.
So nothing that a killed build leaves is taken for an image. The next build removes it.
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
from labkit.files import lock, sha256_file
from labkit.platforms import Platform, VirtualSpec
from labkit.tools import EXTRA_PATH, require
from labkit.virtual import guest, images, tools
from labkit.virtual.images import Image
from labkit.virtual.steps import step

__all__ = ["SPACE", "build", "ensure_image"]

DEBIAN = "http://deb.debian.org/debian"
"""The mirror of the backports, unless LABKIT_MIRROR names another one."""

SPACE = 3 << 30
"""Bytes that a build needs: the packages, the file system twice, the image."""


def ensure_image(platform: Platform, *, rebuild: bool = False) -> Image:
    """The platform's image, built where there is none yet, or with ``rebuild``.

    Raises what :func:`build` raises, and :class:`ImageCorrupt`.
    """
    emulates_firmware = platform.virtual is not None and platform.virtual.firmware
    require((*tools.RUN, *tools.FIRMWARE) if emulates_firmware else tools.RUN)
    with lock(f"{platform.name}-{images.recipe_digest(platform)}"):
        image = None if rebuild else images.find(platform)
        if image is None:
            image = build(platform)
    image.verify()
    return image


def build(platform: Platform) -> Image:
    """Build a platform's image, in place of an earlier one. The caller holds the image's lock.

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
    require((*tools.RUN, *tools.BUILD))
    tools.register_binfmt()
    directory = images.images_dir()
    directory.mkdir(parents=True, exist_ok=True)
    images.require_space(directory, SPACE)
    name = f"{platform.name}-{images.recipe_digest(platform)}"
    for leftover in directory.glob(f".build-{name}-*"):  # of a killed build: no other one runs
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix=f".build-{name}-") as work_dir:
        image = _Build(platform, recipe, Path(work_dir)).image()
        shutil.rmtree(directory / name, ignore_errors=True)
        (Path(work_dir) / "image").rename(directory / name)
    return image


class _Build:
    """One build: ``work_dir`` holds temporary files, and ``image`` in it the result."""

    def __init__(self, platform: Platform, recipe: VirtualSpec, work_dir: Path) -> None:
        self.platform = platform
        self.recipe = recipe
        self.work_dir = work_dir
        self.log = images.images_dir() / f"{platform.name}-build.log"
        self.log.write_bytes(b"")
        self.result = work_dir / "image"
        self.result.mkdir()
        work_dir.chmod(0o755)  # apt downloads as the user _apt

    def image(self) -> Image:
        login_key = self._new_key(self.result / "login_key", "labkit")
        host_key = self._new_key(self.work_dir / "host_key", self.platform.name)
        with (self.work_dir / "guest.tar").open("wb") as tree:
            guest.write_tree(
                tree,
                hostname=self.platform.name,
                host_key=(self.work_dir / "host_key").read_text(encoding="utf-8"),
                host_key_public=host_key,
                login_key=login_key,
                firmware=bool(self.recipe.firmware),
            )
        with step(f"{self.platform.title}: installing packages", about=110):
            self._install()
        with step("making the disk and the initial RAM disk", about=15):
            release = self._make_disk()
        paths = {name: self.result / name for name in images.FILES}
        image = Image(
            platform=self.platform.name,
            recipe=images.recipe_digest(self.platform),
            release=release,
            built=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            host_key=" ".join(host_key.split()[:2]),
            files={name: (sha256_file(path), path.stat().st_size) for name, path in paths.items()},
        )
        images.write_manifest(image, self.result)
        return image

    def _new_key(self, path: Path, comment: str) -> str:
        self._run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
        public = path.with_suffix(".pub")
        text = public.read_text(encoding="utf-8").strip()
        public.unlink()
        return text

    def _install(self) -> None:
        """Make a root file system, as a tar archive, from the distribution's own packages."""
        mirror = os.environ.get("LABKIT_MIRROR", "").split()
        setup_hooks = []
        if self.recipe.backports:
            # apt takes packages from there that no other suite has: the recipe's kernel.
            url = mirror[0] if mirror[:1] and "://" in mirror[0] else DEBIAN
            line = f"deb {url} {self.recipe.backports} main"
            setup_hooks = [
                f'--setup-hook=echo "{line}" >"$1/etc/apt/sources.list.d/backports.list"'
            ]
        packages = [*guest.PACKAGES, *self.recipe.include, self.recipe.kernel]
        user = guest.USER
        self._run(
            [
                tools.command("mmdebstrap"),
                *("--arch=arm64", "--format=tar", *guest.OPTIONS, *setup_hooks),
                # Before the packages: an SSH server that finds its host key generates none.
                f"--essential-hook=tar-in {self.work_dir / 'guest.tar'} /",
                f"--include={','.join(packages)}",
                f'--customize-hook=chroot "$1" useradd --shell /bin/bash --user-group {user}',
                f'--customize-hook=chroot "$1" chown -R {user}: /home/{user}',
                self.recipe.suite,
                str(self.work_dir / "root.tar"),
                *mirror,
            ]
        )

    def _make_disk(self) -> str:
        """Make disk, kernel and initrd from the archive; return the kernel's release."""
        script = files("labkit.virtual").joinpath("compose.sh").read_text(encoding="utf-8")
        (self.work_dir / "init").write_text(guest.read("init"), encoding="utf-8")
        # The archive's files have many owners. Only root can create them, or an ordinary user
        # as root of a user namespace.
        argv = ["sh", "-eu", "-c", script, "compose", f"{self.recipe.disk}M"]
        if os.geteuid() != 0:
            argv = ["unshare", "--map-root-user", "--map-auto", *argv]
        self._run(argv, cwd=self.work_dir)
        self._run(
            [
                *(tools.command("qemu-img"), "convert", "-q", "-W", "-O", "qcow2"),
                *(str(self.work_dir / "disk.raw"), str(self.result / "disk.qcow2")),
            ]
        )
        for name in ("kernel", "initrd"):
            (self.work_dir / name).rename(self.result / name)
        return (self.work_dir / "release").read_text(encoding="utf-8").strip()

    def _run(self, argv: Sequence[str], *, cwd: Path | None = None) -> None:
        """Run one program with its output to the log. Raises :class:`ImageBuildFailed`."""
        path = os.pathsep.join([os.environ.get("PATH", os.defpath), *EXTRA_PATH])
        env = {**os.environ, "PATH": path, "LC_ALL": "C"}
        if os.geteuid() == 0:
            # What a killed mmdebstrap leaves is then removed with this directory. Not for an
            # ordinary user: there mmdebstrap works as another user, who cannot write here.
            env["TMPDIR"] = str(self.work_dir)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*_die_with_parent(), *argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=cwd,
                env=env,
                # mmdebstrap, when it is terminated, ends its process group: not ours.
                start_new_session=True,
            )
            try:
                status = process.wait()
            except BaseException:  # Ctrl-C: let it unmount what it has mounted
                _terminate_group(process)
                raise
        if status:
            raise self._failure(Path(argv[0]).name)

    def _failure(self, program: str) -> VirtualError:
        """The error to raise, with the cause that the log gives."""
        text = self.log.read_text(errors="replace")
        if "No space left on device" in text:
            images.require_space(self.work_dir, SPACE)
            return DiskFull(f"{self.work_dir.parent} ran out of space", expected="3 GiB free")
        error_lines = [
            line for line in text.splitlines() if line.startswith(("E:", "W: GPG", "Err:"))
        ]
        if any(sign in text for sign in ("Could not resolve", "Failed to fetch", "Err:")):
            return ImageBuildFailed(
                f"no package mirror of {self.platform.title} answers",
                expected=f"one that has {self.recipe.suite} for arm64",
                hint=f"check the network, or set LABKIT_MIRROR; the log is {self.log}",
            )
        lines = error_lines or text.strip().splitlines() or ["it printed nothing"]
        return ImageBuildFailed(f"{program} failed: {lines[-1]}", hint=f"read {self.log}")


def _die_with_parent() -> list[str]:
    """The arguments before a command that end it when this process is killed.

    As root, mmdebstrap mounts this machine's /sys and /dev/pts into what it builds. In
    namespaces of its own the mounts and all processes end with it. Otherwise they would
    outlive a kill, and the next build would remove files through those mounts.
    """
    if os.geteuid() == 0:
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        return ["setpriv", "--pdeathsig", "KILL", *namespaces]
    return ["setpriv", "--pdeathsig", "TERM"]


def _terminate_group(process: subprocess.Popen[bytes]) -> None:
    """Terminate a program and all it started; kill them after ten seconds."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal_number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
            return
