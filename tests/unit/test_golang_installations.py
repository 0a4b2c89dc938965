"""Finding every Go: real go commands of this machine, in directories made for the tests."""

import shutil
import subprocess
from importlib.resources import files

import pytest

from labkit import errors
from labkit.boards import Board, Request
from labkit.boards.local import LocalTransport
from labkit.golang import toolchain
from labkit.golang.goroot.installations import find_installations, naive_goroot
from labkit.golang.goroot.layout import Layout
from labkit.golang.goroot.layouts import compare_detectors, layouts, materialize
from labkit.golang.goroot.probe import parse, probe
from labkit.golang.version import UNKNOWN, key

DIRNAMES_RIGHT = {"tarball", "linked folder", "dangling link"}

OTHER_LAYOUTS = (
    Layout(
        "blocked",
        "a link to itself and a file without the right to run, before a tarball",
        roots=["usr/local/go"],
        files={"usr/bin/go": "#!/bin/sh\n"},
        links={"bin/go": "go"},
        path=["bin", "usr/bin", "usr/local/go/bin"],
    ),
    Layout(
        "old beside new",
        "a second GOROOT that says it is Go 1.19.8",
        roots=["usr/local/go", "opt/go1.19"],
        files={"opt/go1.19/VERSION": "go1.19.8", "opt/go1.19/bin/go": ""},
        path=["usr/local/go/bin"],
    ),
    Layout(
        "two on PATH",
        "a folder in /opt goes before the tarball",
        roots=["opt/go", "usr/local/go"],
        path=["opt/go/bin", "usr/local/go/bin"],
    ),
    Layout(
        "dl command beside a tarball",
        "golang.org/dl's go1.21.1; it forgets that it was to be 1.21.1, which its binary is not",
        roots=["usr/local/go", "home/pi/sdk/go1.21.1"],
        files={"home/pi/sdk/go1.21.1/.unpacked-success": ""},
        commands={
            "home/pi/go/bin/go1.21.1": "#!/bin/sh\nunset GOTOOLCHAIN_INTERNAL_SWITCH_VERSION\n"
            'GOTOOLCHAIN=local exec {home}/sdk/go1.21.1/bin/go "$@"\n'
        },
        path=["usr/local/go/bin", "home/pi/go/bin"],
    ),
    Layout(
        "development version",
        "a Go built from the tip beside the toolchain that a go.mod once asked for",
        roots=["usr/local/go", "home/pi/go/pkg/mod/golang.org/toolchain@v0.0.1-go1.30.0.{os-arch}"],
        files={"usr/local/go/VERSION": "devel go1.28-abc"},
        path=["usr/local/go/bin"],
    ),
)


@pytest.fixture(scope="module")
def board():
    return Board("this machine", LocalTransport())


@pytest.fixture(scope="module")
def go():
    return toolchain().root


@pytest.fixture(scope="module")
def sandboxes(board, go):
    with materialize(board, go, (*layouts(), *OTHER_LAYOUTS)) as materialized:
        yield {sandbox.layout.name: sandbox for sandbox in materialized}


@pytest.fixture
def find(board):
    def find(sandbox, **env):
        return find_installations(board, root=sandbox.root, env={**sandbox.env, **env}, timeout=1)

    return find


def go_env(board, sandbox, name="GOROOT", **env):
    return board.run("go env %s", name, env={**sandbox.env, **env}).stdout.rstrip("\n")


@pytest.fixture(scope="module")
def compared(board, sandboxes):
    selected = [sandboxes[layout.name] for layout in layouts()]
    return compare_detectors(board, selected).set_index("layout")


@pytest.mark.slow
def test_in_every_layout_the_detector_says_what_go_env_says(compared):
    wrong = compared[~compared["detector_right"]]
    assert wrong.empty, wrong[["go_env", "detector"]].to_string()
    assert len(compared) >= 12


@pytest.mark.slow
def test_go_really_answered_in_the_layouts_that_are_whole(compared):
    silent = set(compared.index[compared["go_env"] == ""])
    broken = {"GOROOT gone", "login shell only", "copied command", "no pkg/tool"}
    assert silent == broken | {"wrong architecture", "wrapper loop"}


def test_two_dirnames_are_right_only_where_no_link_or_script_stands_between(compared):
    assert set(compared.index[compared["dirnames_right"]]) == DIRNAMES_RIGHT
    assert compared.loc["Debian package", "two_dirnames"] == "/usr"


def test_what_dirnames_give_is_what_the_shell_gives(board, sandboxes):
    sandbox = sandboxes["Debian package"]
    assert naive_goroot(board, env=sandbox.env) == f"{sandbox.root}/usr"
    assert naive_goroot(board, env={"PATH": "/usr/bin:/bin"}) in (".", "/usr", "/")


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("tarball with a link", "tarball"),
        ("Debian package", "Debian package"),
        ("Fedora package", "distribution package"),
        ("golang.org/dl command", "sdk folder"),
        ("pip package", "pip package"),
        ("snap", "snap"),
        ("asdf", "asdf"),
        ("mise", "mise"),
        ("Homebrew", "Homebrew"),
        ("toolchain download", "toolchain download"),
        ("own script", "folder in /opt"),
    ],
)
def test_a_layout_is_called_by_its_name(sandboxes, find, go, name, method):
    report = find(sandboxes[name])
    assert report.active.install_method == method
    assert f"go{report.active.version}" == (go / "VERSION").read_text().split()[0]
    assert report.active.problem == ""


def test_links_to_one_goroot_are_one_installation(sandboxes, find):
    sandbox = sandboxes["Debian package"]
    report = find(sandbox)
    assert [go.goroot for go in report.installations] == [report.goroot]
    assert report.active.command == f"{sandbox.root}/usr/bin/go"
    assert f"{sandbox.root}/usr/lib/go/bin/go" in report.active.aliases
    assert "a link to" in report.explanation
    assert report.warnings == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("dangling link", "a link to ../lib/go-1.15/bin/go, which does not exist"),
        ("copied command", "cannot find GOROOT"),
        ("no pkg/tool", "no pkg/tool, no src/fmt"),
        ("wrong architecture", "built for"),
        ("wrapper loop", "does not answer"),
    ],
)
def test_what_is_broken_is_named(sandboxes, find, name, problem):
    assert problem in find(sandboxes[name]).installations[0].problem


def test_a_file_that_may_not_run_is_passed_over_as_the_shell_does(board, sandboxes, find):
    sandbox = sandboxes["blocked"]
    report = find(sandbox)
    assert board.run("command -v go", env=sandbox.env).stdout.strip() == report.active.command
    assert [go.problem for go in report.installations] == [
        "a link that leads to itself",
        "not executable",
        "",
    ]
    assert "comes first on PATH but the shell skips it: not executable" in report.warnings[1]


@pytest.mark.parametrize(
    ("env", "warning"),
    [
        ({"GOROOT": "{root}/usr/local/go/"}, "is not necessary"),
        ({"GOROOT": "{root}/gone"}, "no such directory exists"),
        ({"GOROOT": "{root}/usr"}, "it has no pkg/tool and no src/fmt"),
        ({"GOPATH": "{root}/usr/local/go"}, "GOPATH and GOROOT are one directory"),
        ({"GOBIN": "{root}/bin"}, "{root}/bin, where `go install` puts programs, is not on PATH"),
        ({"GO111MODULE": "off"}, "without modules"),
        ({"GOTOOLCHAIN": "go1.21.1"}, "the next go command fetches it"),
        ({"GOTOOLCHAIN": "go1.21.1+path"}, "nor on PATH"),
    ],
)
def test_a_setting_that_leads_astray_is_warned_of(sandboxes, find, env, warning):
    sandbox = sandboxes["tarball"]
    assert find(sandbox).warnings == ()
    expanded = {name: value.format(root=sandbox.root) for name, value in env.items()}
    (sentence,) = find(sandbox, **expanded).warnings
    assert warning.format(root=sandbox.root) in sentence


def test_a_goroot_of_another_version_clashes(board, sandboxes, find):
    sandbox = sandboxes["old beside new"]
    report = find(sandbox, GOROOT=f"{sandbox.root}/opt/go1.19")
    assert "the two do not work together" in report.warnings[0]
    assert {go.version for go in report.installations} == {report.active.version, "1.19.8"}
    assert report.goroot == go_env(board, sandbox, GOROOT=f"{sandbox.root}/opt/go1.19")


def test_a_second_go_on_path_is_warned_of(sandboxes, find):
    sandbox = sandboxes["two on PATH"]
    (warning,) = find(sandbox).warnings
    assert warning.startswith(f"{sandbox.root}/usr/local/go/bin/go (Go ")
    assert "comes later on PATH" in warning


def test_the_settings_file_counts_and_the_environment_goes_before_it(board, sandboxes, find):
    sandbox = sandboxes["GOROOT by go env -w"]
    settings = f"{sandbox.env['HOME']}/.config/go/env"
    assert f"{settings} sets GOROOT=" in " ".join(find(sandbox).warnings)
    other = f"{sandbox.root}/usr/local/go"
    assert find(sandbox, GOROOT=other).goroot == go_env(board, sandbox, GOROOT=other) == other
    assert find(sandbox, GOENV="off").goroot == go_env(board, sandbox, GOENV="off") == other


@pytest.mark.parametrize("name", ["pip package", "golang.org/dl command", "asdf", "own script"])
def test_whether_a_wrapper_heeds_goroot_is_found_out(board, sandboxes, find, name):
    sandbox = sandboxes[name]
    other = f"{sandbox.root}/usr"
    board.check("mkdir -p %s", other)
    assert find(sandbox, GOROOT=other).goroot == go_env(board, sandbox, GOROOT=other)


def test_a_toolchain_on_path_serves_gotoolchain(board, sandboxes, find):
    sandbox = sandboxes["dl command beside a tarball"]
    env = {"GOTOOLCHAIN": "go1.21.1+path"}
    report = find(sandbox, **env)
    assert report.active.command == f"{sandbox.root}/home/pi/go/bin/go1.21.1"
    assert report.goroot == f"{sandbox.root}/home/pi/sdk/go1.21.1" == go_env(board, sandbox, **env)
    assert "GOTOOLCHAIN asks for Go 1.21.1" in report.warnings[0]


def test_a_login_shell_may_have_another_path(sandboxes, find):
    sandbox = sandboxes["login shell only"]
    report = find(sandbox)
    assert report.active is None
    assert report.explanation == "there is no `go` on PATH"
    assert report.warnings == (
        f"a login shell has another PATH, where `go` is {sandbox.root}/usr/local/go/bin/go",
    )


def test_looking_leaves_nothing_behind(board, sandboxes, find):
    for name in ("own script", "copied command", "login shell only"):
        sandbox = sandboxes[name]
        before = board.check("find %s | sort", sandbox.root).stdout
        # A new directory for settings, where go would count itself, as it does for most users.
        find(sandbox, XDG_CONFIG_HOME=f"{sandbox.root}/fresh")
        assert board.check("find %s | sort", sandbox.root).stdout == before


def test_the_layouts_are_removed_also_after_a_mistake(board, go):
    def mistake():
        with materialize(board, go, layouts()[:1]) as (sandbox,):
            roots.append(sandbox.root)
            assert board.run("ls %s", sandbox.root).ok
            raise ZeroDivisionError

    roots = []
    with pytest.raises(ZeroDivisionError):
        mistake()
    assert not board.run("ls -d %s", roots[0].rpartition("/")[0]).ok


def test_a_dir_that_is_no_toolchain_is_refused(board, tmp_path):
    with (
        pytest.raises(errors.ToolchainError, match="no Go toolchain.*expected a GOROOT"),
        materialize(board, tmp_path),
    ):
        pass


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_any_posix_shell_sees_the_same(board, sandboxes, shell):
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} on this machine")
    script = files("labkit.golang.goroot").joinpath("probe.sh").read_bytes()
    for name in ("Homebrew", "asdf", "GOROOT by go env -w", "copied command"):
        sandbox = sandboxes[name]
        line = [program, *(["sh"] if shell == "busybox" else []), "-s", "--", sandbox.root, "2"]
        process = subprocess.run(
            line, input=script, env=dict(sandbox.env), capture_output=True, check=False
        )
        assert process.stderr == b""
        expected = probe(board, env=sandbox.env, root=sandbox.root, timeout=2)
        result = parse(process.stdout.decode())
        assert result.commands == expected.commands
        assert (result.goroot, result.settings, result.login_path) == (
            expected.goroot,
            expected.settings,
            expected.login_path,
        )


def test_a_machine_without_a_shell_is_one_clear_line(board):
    class Mute(LocalTransport):
        def run(self, request, *, on_output=None):
            return super().run(Request("echo this is no shell >&2; exit 127"))

    with pytest.raises(errors.BoardError, match="this is no shell.*expected a POSIX shell"):
        find_installations(Board("odd", Mute()))


def test_it_is_one_round_trip_and_shows_itself(sandboxes):
    trips = []

    class Counted(LocalTransport):
        def run(self, request, *, on_output=None):
            trips.append(request)
            return super().run(request, on_output=on_output)

    sandbox = sandboxes["stale GOROOT"]
    report = find_installations(Board("<pi>", Counted()), root=sandbox.root, env=sandbox.env)
    assert len(trips) == 1
    assert list(report.frame["active"]) == [True]
    assert str(report).startswith("<pi> has 1 Go: the first `go` on PATH is ")
    assert "\n  ! GOROOT=" in str(report)
    html = report._repr_html_()
    assert "&lt;pi&gt; has 1 Go" in html
    assert "<li>GOROOT=" in html


def test_versions_compare_by_number():
    assert key("1.9") < key("1.21.13") < key("1.27rc1") < key("1.27.3")
    assert key("devel go1.28-abc") == UNKNOWN


def test_a_development_version_has_no_order_and_is_shown_as_it_is(sandboxes, find):
    sandbox = sandboxes["development version"]
    report = find(sandbox)
    assert report.active.version == "devel go1.28-abc"
    assert report.goroot == f"{sandbox.root}/usr/local/go"
    assert report.warnings == ()
    assert find(sandbox, GOTOOLCHAIN="go1.21.1").goroot == report.goroot
