"""Finding every Go on a live board, and in layouts of every kind made there."""

from importlib.resources import files

import pytest

from labkit.golang import toolchain
from labkit.golang.goroot.installations import find_installations, naive_goroot
from labkit.golang.goroot.layouts import compare_detectors, layouts, materialize
from labkit.golang.goroot.probe import parse, probe


@pytest.fixture(scope="module")
def sandboxes(board):
    """Every layout, by name. The board is unchanged afterwards."""

    def listing():
        return board.check("ls -A ${TMPDIR:-/tmp} ~; find ~/.config 2>/dev/null; true").stdout

    before = listing()
    with materialize(board, toolchain(arch="arm64").root) as materialized:
        yield {sandbox.layout.name: sandbox for sandbox in materialized}
    assert listing() == before


def test_a_board_without_go_says_so(board):
    # With a PATH and a home of its own, in case another test has installed a Go.
    report = find_installations(board, root="/nowhere", env={"PATH": "/bin", "HOME": "/nowhere"})
    assert report.active is None
    assert report.frame.empty
    assert str(report).startswith(f"{board.name} has no Go: there is no `go` on PATH.")
    assert naive_goroot(board, env={"PATH": "/usr/bin:/bin"}) == "."


@pytest.mark.slow
def test_in_every_layout_on_the_board_the_detector_says_what_go_env_says(board, sandboxes):
    frame = compare_detectors(board, list(sandboxes.values()))
    wrong = frame[~frame["detector_right"]]
    assert wrong.empty, wrong[["layout", "go_env", "detector"]].to_string()
    assert len(frame) == len(layouts()) >= 12
    assert (frame["go_env"] != "").sum() >= 12
    right = set(frame.loc[frame["dirnames_right"], "layout"])
    assert right == {"tarball", "linked folder", "dangling link"}


def test_the_boards_own_binary_is_told_from_a_foreign_one(board, sandboxes):
    native, foreign = sandboxes["tarball"], sandboxes["wrong architecture"]
    assert find_installations(board, root=native.root, env=native.env).active.problem == ""
    report = find_installations(board, root=foreign.root, env=foreign.env)
    assert report.active.problem == "built for x86_64, not for aarch64"
    assert report.goroot == ""


def test_busybox_sees_what_dash_sees(board, sandboxes):
    script = files("labkit.golang.goroot").joinpath("probe.sh").read_text()
    for name in ("Homebrew", "snap", "asdf"):
        sandbox = sandboxes[name]
        line = "busybox sh -s -- %s 10"
        output = board.run(line, sandbox.root, env=sandbox.env, stdin=script).stdout
        expected = probe(board, env=sandbox.env, root=sandbox.root, timeout=10)
        assert parse(output).commands == expected.commands
        assert len(expected.commands) > 1
