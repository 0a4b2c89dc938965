"""Go's own build script, run in a tree of its sources: no network, nothing of the user's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from labkit.errors import GoCommandFailed, DiskFull
from labkit.process import kill_group
from labkit.golang.toolchains.local import go_environment
from labkit.tools import Program

__all__ = ["BASH", "SPACE", "make", "require_space"]

SPACE = 3 << 30
"""Bytes a build needs: 2.3 GB were seen, while the archives are written."""

BASH = Program("bash", "bash", "to run make.bash")

# make.bash in a group of its own, which ends when our end of its standard input is closed:
# so also where this process is killed and can end nothing itself. (No banner: it names the
# folder, which is gone by then.)
_TIED = """
exec 3<&0
{ read -r <&3; kill -KILL -- -$$; } >/dev/null 2>&1 &
exec 3<&- </dev/null
exec "$0" ./make.bash -distpack -no-banner
"""


def make(
    room: Path, bootstrap: Path, settings: Mapping[str, str], log: Path, tell: Callable[[str], None]
) -> None:
    """Run ``./make.bash -distpack`` in ``room/go/src``, built by the GOROOT ``bootstrap``.

    ``settings`` are GOOS and GOARCH. Each line goes to ``tell`` and into ``log`` as it
    comes; the archives are in ``room/go/pkg/distpack`` then. At Ctrl-C, or where this
    process is killed, all that was started ends. Raises :class:`ToolNotFound` without
    bash, :class:`DiskFull`, and :class:`GoCommandFailed` with make.bash's own words.
    """
    bash = BASH.command()
    process = subprocess.Popen(
        [bash, "-c", _TIED, bash],
        cwd=room / "go" / "src",
        env={**_environment(room, bootstrap), **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    with process, log.open("w", encoding="utf-8") as kept:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                kept.write(line)
                kept.flush()
                tell(line.rstrip())
            process.wait()
        except BaseException:
            kill_group(process)
            raise
    if process.returncode:
        raise _failure(room, log)


def require_space(directory: Path) -> None:
    """Raise :class:`DiskFull` where fewer than :data:`SPACE` bytes are free for ``directory``."""
    if shutil.disk_usage(directory).free < SPACE:
        raise _no_space(directory)


def _environment(room: Path, bootstrap: Path) -> dict[str, str]:
    """All that make.bash gets to know: a C compiler named here would be built into Go."""
    for name in ("home", "tmp"):
        (room / name).mkdir()
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(room / "home"),
        "TMPDIR": str(room / "tmp"),
        "LC_ALL": "C",
        "GOCACHE": go_environment()["GOCACHE"],  # for cmd/dist; after it Go has one of its own
        "GOROOT_BOOTSTRAP": str(bootstrap),
        "GOTOOLCHAIN": "local",
        "GOPROXY": "off",
    }


def _failure(room: Path, log: Path) -> GoCommandFailed | DiskFull:
    said = log.read_text(encoding="utf-8")
    if "no space left on device" in said.lower():
        return _no_space(room)
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "no word")
    return GoCommandFailed(f"make.bash failed: {last}", said=said, hint=f"read {log}")


def _no_space(directory: Path) -> DiskFull:
    return DiskFull(
        f"{directory} has {shutil.disk_usage(directory).free / 2**20:.0f} MiB free",
        expected=f"{SPACE / 2**20:.0f} MiB to build Go in",
        hint="make room, or set LABKIT_CACHE to a folder on a larger disk",
    )
