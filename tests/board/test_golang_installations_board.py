"""Finding every Go on a live board, and in layouts of every kind laid out there."""

from importlib.resources import files

import pytest

from labkit.golang import toolchain
from labkit.golang.goroot.installations import find_installations, naive_goroot
from labkit.golang.goroot.layouts import compare, layouts, materialize
from labkit.golang.goroot.probe import look, parse


@pytest.fixture(scope="module")
def laid(board):
    """Every layout, by name; the board is afterwards as it was."""

    def listing():
        return board.check("ls -A ${TMPDIR:-/tmp} ~; find ~/.config 2>/dev/null; true").stdout

    before = listing()
    with materialize(board, toolchain(arch="arm64").root) as all_of_them:
        yield {each.layout.name: each for each in all_of_them}
    assert listing() == before


def test_a_board_without_go_says_so(board):
    # With a PATH and a home of its own, in case another test has shipped a Go.
    found = find_installations(board, root="/nowhere", env={"PATH": "/bin", "HOME": "/nowhere"})
    assert found.in_force is None
    assert found.frame.empty
    assert str(found).startswith(f"{board.name} has no Go: there is no `go` on PATH.")
    assert naive_goroot(board, env={"PATH": "/usr/bin:/bin"}) == "."


@pytest.mark.slow
def test_in_every_layout_on_the_board_the_detector_says_what_go_env_says(board, laid):
    frame = compare(board, list(laid.values()))
    wrong = frame[~frame["detector_right"]]
    assert wrong.empty, wrong[["layout", "go_env", "detector"]].to_string()
    assert len(frame) == len(layouts()) >= 12
    assert (frame["go_env"] != "").sum() >= 12
    right = set(frame.loc[frame["dirnames_right"], "layout"])
    assert right == {"tarball", "linked folder", "dangling link"}


def test_the_boards_own_binary_is_told_from_a_foreign_one(board, laid):
    whole, foreign = laid["tarball"], laid["wrong architecture"]
    assert find_installations(board, root=whole.root, env=whole.env).in_force.trouble == ""
    found = find_installations(board, root=foreign.root, env=foreign.env)
    assert found.in_force.trouble == "built for x86_64, not for aarch64"
    assert found.goroot == ""


def test_busybox_sees_what_dash_sees(board, laid):
    script = files("labkit.golang").joinpath("find_go.sh").read_text()
    for name in ("Homebrew", "snap", "asdf"):
        world = laid[name]
        line = "busybox sh -s -- %s 10"
        told = board.run(line, world.root, env=world.env, stdin=script).stdout
        seen = look(board, env=world.env, root=world.root, patience=10)
        assert parse(told).commands == seen.commands
        assert len(seen.commands) > 1
