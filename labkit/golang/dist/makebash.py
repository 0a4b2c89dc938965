"""Go's own build script, run in a tree of its sources: no network, none of the user's settings."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path

from labkit.errors import DiskFull, GoCommandFailed
from labkit.golang.toolchains.local import go_environment
from labkit.process import kill_group
from labkit.tools import HostTool

__all__ = ["BASH", "REQUIRED_SPACE", "require_space", "run_make_bash"]

REQUIRED_SPACE = 3 << 30
"""Bytes that a build needs: 2.3 GB were measured, while the archives are written."""

BASH = HostTool("bash", "bash", "to run make.bash")


def run_make_bash(
    workdir: Path,
    bootstrap: Path,
    settings: Mapping[str, str],
    log_path: Path,
    on_progress: Callable[[str], None],
) -> None:
    """Run ``./make.bash -distpack`` in ``workdir/go/src``, built by the GOROOT ``bootstrap``.

    ``settings`` are GOOS and GOARCH. Each line of output goes to ``on_progress`` and into the
    file ``log_path`` as it comes; the archives are in ``workdir/go/pkg/distpack`` afterwards. All
    processes end at Ctrl-C, and also where this process is killed. Raises :class:`ToolNotFound`
    without bash, :class:`DiskFull`, and :class:`GoCommandFailed` with the output of make.bash.
    """
    bash = BASH.command()
    script = files("labkit.golang.dist").joinpath("makebash.sh").read_text(encoding="utf-8")
    process = subprocess.Popen(
        [bash, "-c", script, bash],
        cwd=workdir / "go" / "src",
        env={**_environment(workdir, bootstrap), **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    with process, log_path.open("w", encoding="utf-8") as log:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                log.write(line)
                log.flush()
                on_progress(line.rstrip())
            process.wait()
        except BaseException:
            kill_group(process)
            raise
    if process.returncode:
        raise _failure(workdir, log_path)


def require_space(directory: Path) -> None:
    """Raise :class:`DiskFull` where ``directory`` has less than :data:`REQUIRED_SPACE` free."""
    if shutil.disk_usage(directory).free < REQUIRED_SPACE:
        raise _disk_full(directory)


def _environment(workdir: Path, bootstrap: Path) -> dict[str, str]:
    """The whole environment of make.bash: a C compiler named in it would be built into Go."""
    for name in ("home", "tmp"):
        (workdir / name).mkdir()
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(workdir / "home"),
        "TMPDIR": str(workdir / "tmp"),
        "LC_ALL": "C",
        "GOCACHE": go_environment()["GOCACHE"],  # for cmd/dist; the rest of the build has its own
        "GOROOT_BOOTSTRAP": str(bootstrap),
        "GOTOOLCHAIN": "local",
        "GOPROXY": "off",
    }


def _failure(workdir: Path, log_path: Path) -> GoCommandFailed | DiskFull:
    output = log_path.read_text(encoding="utf-8")
    if "no space left on device" in output.lower():
        return _disk_full(workdir)
    lines = [line for line in output.splitlines() if line.strip()] or ["it printed nothing"]
    return GoCommandFailed(f"make.bash failed: {lines[-1]}", output=output, hint=f"read {log_path}")


def _disk_full(directory: Path) -> DiskFull:
    return DiskFull(
        f"{directory} has {shutil.disk_usage(directory).free / 2**20:.0f} MiB free",
        expected=f"{REQUIRED_SPACE / 2**20:.0f} MiB to build Go in",
        hint="free some space, or set LABKIT_CACHE to a directory on a larger disk",
    )
