"""Finding every Go: real go commands of this machine in folders laid out for it."""

import shutil
import subprocess
from importlib.resources import files

import pytest

from labkit import errors
from labkit.boards import Board
from labkit.boards.local import LocalTransport
from labkit.golang import toolchain
from labkit.golang.goroot.installations import find_installations, naive_goroot
from labkit.golang.goroot.layouts import Layout, compare, layouts, materialize
from labkit.golang.goroot.probe import look, parse
from labkit.golang.goroot.resolve import numbers

RIGHT_BY_LUCK = {"tarball", "linked folder", "dangling link"}

MORE = (
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
)


@pytest.fixture(scope="module")
def machine():
    return Board("this machine", LocalTransport())


@pytest.fixture(scope="module")
def go():
    return toolchain().root


@pytest.fixture(scope="module")
def laid(machine, go):
    with materialize(machine, go, (*layouts(), *MORE)) as all_of_them:
        yield {each.layout.name: each for each in all_of_them}


@pytest.fixture
def find(machine):
    def find(world, **env):
        return find_installations(machine, root=world.root, env={**world.env, **env}, patience=1)

    return find


def go_env(machine, world, name="GOROOT", **env):
    return machine.run("go env %s", name, env={**world.env, **env}).stdout.rstrip("\n")


@pytest.fixture(scope="module")
def compared(machine, laid):
    return compare(machine, [laid[each.name] for each in layouts()]).set_index("layout")


def test_in_every_layout_the_detector_says_what_go_env_says(compared):
    wrong = compared[~compared["detector_right"]]
    assert wrong.empty, wrong[["go_env", "detector"]].to_string()
    assert len(compared) >= 12


def test_go_really_answered_in_the_layouts_that_are_whole(compared):
    silent = set(compared.index[compared["go_env"] == ""])
    broken = {"GOROOT gone", "login shell only", "copied command", "no pkg/tool"}
    assert silent == broken | {"wrong architecture", "wrapper loop"}


def test_two_dirnames_are_right_only_where_no_link_or_script_stands_between(compared):
    assert set(compared.index[compared["dirnames_right"]]) == RIGHT_BY_LUCK
    assert compared.loc["Debian package", "two_dirnames"] == "/usr"


def test_what_dirnames_give_is_what_the_shell_gives(machine, laid):
    world = laid["Debian package"]
    assert naive_goroot(machine, env=world.env) == f"{world.root}/usr"
    assert naive_goroot(machine, env={"PATH": "/usr/bin:/bin"}) in (".", "/usr", "/")


@pytest.mark.parametrize(
    ("name", "layout"),
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
def test_a_layout_is_called_by_its_name(laid, find, go, name, layout):
    found = find(laid[name])
    assert found.in_force.layout == layout
    assert f"go{found.in_force.version}" == (go / "VERSION").read_text().split()[0]
    assert found.in_force.trouble == ""


def test_links_to_one_goroot_are_one_installation(laid, find):
    world = laid["Debian package"]
    found = find(world)
    assert [each.goroot for each in found.found] == [found.goroot]
    assert found.in_force.command == f"{world.root}/usr/bin/go"
    assert f"{world.root}/usr/lib/go/bin/go" in found.in_force.also
    assert "a link to" in found.why
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("name", "trouble"),
    [
        ("dangling link", "a link to ../lib/go-1.15/bin/go, which does not exist"),
        ("copied command", "cannot find GOROOT"),
        ("no pkg/tool", "no pkg/tool, no src/fmt"),
        ("wrong architecture", "built for"),
        ("wrapper loop", "does not answer"),
    ],
)
def test_what_is_broken_is_named(laid, find, name, trouble):
    assert trouble in find(laid[name]).found[0].trouble


def test_a_file_that_may_not_run_is_passed_over_as_the_shell_does(machine, laid, find):
    world = laid["blocked"]
    found = find(world)
    assert machine.run("command -v go", env=world.env).stdout.strip() == found.in_force.command
    assert [each.trouble for each in found.found] == [
        "a link that leads to itself",
        "not executable",
        "",
    ]
    assert "comes first on PATH and is passed over: not executable" in found.warnings[1]


@pytest.mark.parametrize(
    ("env", "warning"),
    [
        ({"GOROOT": "{root}/usr/local/go/"}, "is set without need"),
        ({"GOROOT": "{root}/gone"}, "no such folder exists"),
        ({"GOROOT": "{root}/usr"}, "it has no pkg/tool and no src/fmt"),
        ({"GOPATH": "{root}/usr/local/go"}, "GOPATH and GOROOT are one folder"),
        ({"GOBIN": "{root}/bin"}, "{root}/bin, where `go install` puts programs, is not on PATH"),
        ({"GO111MODULE": "off"}, "without modules"),
        ({"GOTOOLCHAIN": "go1.21.1"}, "the next go command fetches it"),
        ({"GOTOOLCHAIN": "go1.21.1+path"}, "nor on PATH"),
    ],
)
def test_a_setting_that_leads_astray_is_warned_of(laid, find, env, warning):
    world = laid["tarball"]
    assert find(world).warnings == ()
    (said,) = find(
        world, **{name: value.format(root=world.root) for name, value in env.items()}
    ).warnings
    assert warning.format(root=world.root) in said


def test_a_goroot_of_another_version_clashes(machine, laid, find):
    world = laid["old beside new"]
    found = find(world, GOROOT=f"{world.root}/opt/go1.19")
    assert "they clash" in found.warnings[0]
    assert {each.version for each in found.found} == {found.in_force.version, "1.19.8"}
    assert found.goroot == go_env(machine, world, GOROOT=f"{world.root}/opt/go1.19")


def test_a_second_go_on_path_is_warned_of(laid, find):
    world = laid["two on PATH"]
    (warning,) = find(world).warnings
    assert warning.startswith(f"{world.root}/usr/local/go/bin/go (Go ")
    assert "stands behind it" in warning


def test_the_settings_file_counts_and_the_environment_goes_before_it(machine, laid, find):
    world = laid["GOROOT by go env -w"]
    settings = f"{world.env['HOME']}/.config/go/env"
    assert f"{settings} sets GOROOT=" in " ".join(find(world).warnings)
    other = f"{world.root}/usr/local/go"
    assert find(world, GOROOT=other).goroot == go_env(machine, world, GOROOT=other) == other
    assert find(world, GOENV="off").goroot == go_env(machine, world, GOENV="off") == other


@pytest.mark.parametrize("name", ["pip package", "golang.org/dl command", "asdf", "own script"])
def test_whether_a_wrapper_heeds_goroot_is_found_out(machine, laid, find, name):
    world = laid[name]
    other = f"{world.root}/usr"
    machine.check("mkdir -p %s", other)
    assert find(world, GOROOT=other).goroot == go_env(machine, world, GOROOT=other)


def test_a_toolchain_on_path_serves_gotoolchain(machine, laid, find):
    world = laid["dl command beside a tarball"]
    env = {"GOTOOLCHAIN": "go1.21.1+path"}
    found = find(world, **env)
    assert found.in_force.command == f"{world.root}/home/pi/go/bin/go1.21.1"
    assert found.goroot == f"{world.root}/home/pi/sdk/go1.21.1" == go_env(machine, world, **env)
    assert "GOTOOLCHAIN asks for Go 1.21.1" in found.warnings[0]


def test_a_login_shell_may_have_another_path(laid, find):
    world = laid["login shell only"]
    found = find(world)
    assert found.in_force is None
    assert found.why == "there is no `go` on PATH"
    assert found.warnings == (
        f"a login shell has another PATH: there `go` is {world.root}/usr/local/go/bin/go",
    )


def test_looking_leaves_nothing_behind(machine, laid, find):
    for name in ("own script", "copied command", "login shell only"):
        world = laid[name]
        before = machine.check("find %s | sort", world.root).stdout
        # A fresh folder for settings: there go would count itself, as it does for most users.
        find(world, XDG_CONFIG_HOME=f"{world.root}/fresh")
        assert machine.check("find %s | sort", world.root).stdout == before


def test_the_layouts_are_removed_also_after_a_mistake(machine, go):
    def mistake():
        with materialize(machine, go, layouts()[:1]) as (world,):
            made.append(world.root)
            assert machine.run("ls %s", world.root).ok
            raise ZeroDivisionError

    made = []
    with pytest.raises(ZeroDivisionError):
        mistake()
    assert not machine.run("ls -d %s", made[0].rpartition("/")[0]).ok


def test_a_dir_that_is_no_toolchain_is_refused(machine, tmp_path):
    with (
        pytest.raises(errors.ToolchainError, match="no Go toolchain.*expected a GOROOT"),
        materialize(machine, tmp_path),
    ):
        pass


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_any_posix_shell_sees_the_same(machine, laid, shell):
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} on this machine")
    script = files("labkit.golang").joinpath("find_go.sh").read_bytes()
    for name in ("Homebrew", "asdf", "GOROOT by go env -w", "copied command"):
        world = laid[name]
        line = [program, *(["sh"] if shell == "busybox" else []), "-s", "--", world.root, "2"]
        done = subprocess.run(
            line, input=script, env=dict(world.env), capture_output=True, check=False
        )
        assert done.stderr == b""
        seen = look(machine, env=world.env, root=world.root, patience=2)
        told = parse(done.stdout.decode())
        assert told.commands == seen.commands
        assert (told.goroot, told.settings, told.login) == (
            seen.goroot,
            seen.settings,
            seen.login,
        )


def test_a_machine_without_a_shell_is_one_clear_line(machine):
    class Mute(LocalTransport):
        def run(self, command, **how):
            return super().run("echo this is no shell >&2; exit 127", **how)

    with pytest.raises(errors.BoardError, match="this is no shell.*expected a POSIX shell"):
        find_installations(Board("odd", Mute()))


def test_it_is_one_round_trip_and_shows_itself(laid):
    trips = []

    class Counted(LocalTransport):
        def run(self, command, **how):
            trips.append(command)
            return super().run(command, **how)

    world = laid["stale GOROOT"]
    found = find_installations(Board("<pi>", Counted()), root=world.root, env=world.env)
    assert len(trips) == 1
    assert list(found.frame["in_force"]) == [True]
    assert str(found).startswith("<pi> has 1 Go: the first `go` on PATH is ")
    assert "\n  ! GOROOT=" in str(found)
    html = found._repr_html_()
    assert "&lt;pi&gt; has 1 Go" in html
    assert "<li>GOROOT=" in html


def test_versions_compare_by_number():
    assert numbers("1.9") < numbers("1.21.13") < numbers("1.27rc1") < numbers("1.27.3")
    assert numbers("devel go1.28-abc") == ()
