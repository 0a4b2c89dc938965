"""Images: carried elsewhere in one file, and never taken for whole where they are not."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
from collections import namedtuple
from pathlib import Path

import pytest

import labkit
from labkit import platforms
from labkit.errors import DiskFull, ImageBuildFailed, ImageCorrupt, ImageUnknown, ToolNotFound
from labkit.virtual import VirtualMachine, archive, ensure_image, images

DEBIAN = platforms.get("debian-12")


@pytest.fixture(scope="module")
def exported(board, tmp_path_factory):
    """The image of the board's platform as one file."""
    directory = tmp_path_factory.mktemp("exported")
    yield archive.export(DEBIAN, directory / "debian.labkit")
    shutil.rmtree(directory)


@pytest.fixture
def copy(exported, tmp_path):
    """A copy of the exported file to do harm to, without the sum beside it."""
    subprocess.run(["cp", "--reflink=auto", exported, tmp_path / "copy.labkit"], check=True)
    yield tmp_path / "copy.labkit"
    (tmp_path / "copy.labkit").unlink()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder, as on another machine."""
    directory = tmp_path / "cache"
    monkeypatch.setenv("LABKIT_CACHE", str(directory))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def test_an_export_has_its_sum_beside_it(exported):
    sum_file = exported.with_name("debian.labkit.sha256")
    digest, name = sum_file.read_text().split()
    assert name == exported.name
    with exported.open("rb") as whole:
        assert hashlib.sha256_file(whole, "sha256").hexdigest() == digest
    assert sorted(path.name for path in exported.parent.iterdir()) == [name, sum_file.name]


@pytest.mark.slow
def test_an_imported_image_boots(exported, cache):
    image = archive.import_file(exported)
    assert images.images() == [image] == [images.find(DEBIAN)]
    image.verify(thorough=True)
    assert (image.directory / "login_key").stat().st_mode & 0o077 == 0
    try:
        with labkit.open_board("debian-12@test") as board:
            assert board.check("uname -m").stdout == "aarch64\n"
            assert board.facts.emulated
    finally:
        VirtualMachine("debian-12@test").down()


def test_a_file_that_lost_its_end_is_corrupt_and_leaves_nothing(copy, cache):
    os.truncate(copy, copy.stat().st_size * 2 // 3)
    refused(copy)
    assert left_in(cache) == []


@pytest.mark.parametrize("name", ["disk.qcow2", "kernel", "login_key"])
def test_a_file_with_one_changed_byte_is_corrupt_and_leaves_nothing(copy, cache, name):
    with tarfile.open(copy) as tar:
        member = tar.getmember(name)
    flip(copy, member.offset_data + member.size // 2)
    refused(copy)
    assert left_in(cache) == []


def test_a_sum_that_does_not_fit_is_noticed_first(copy, cache):
    copy.with_name("copy.labkit.sha256").write_text(f"{'0' * 64}  copy.labkit\n")
    refused(copy, "does not have the sha256 in copy.labkit.sha256")


def test_a_file_that_is_no_image_is_corrupt(tmp_path, cache):
    (tmp_path / "text").write_text("no image\n" * 1000)
    refused(tmp_path / "text", "is not an exported image")
    with tarfile.open(tmp_path / "tar", "w") as tar:
        tar.add(tmp_path / "text", "text")
    refused(tmp_path / "tar", "holds no manifest.json")
    assert left_in(cache) == []


@pytest.mark.parametrize("recipe", ["../../elsewhere", "x/y", "..", ""])
def test_a_manifest_that_names_another_dir_is_corrupt(tmp_path, cache, recipe):
    (tmp_path / "elsewhere").mkdir()
    empty = dict.fromkeys(("release", "built", "host_key"), "")
    said = {"platform": "debian-12", "recipe": recipe, "files": {}, **empty}
    (tmp_path / "manifest.json").write_text(json.dumps(said))
    with tarfile.open(tmp_path / "tar", "w") as tar:
        tar.add(tmp_path / "manifest.json", "manifest.json")
    refused(tmp_path / "tar")
    assert (tmp_path / "elsewhere").is_dir()


def test_a_file_that_is_not_there_is_named(tmp_path, cache):
    with pytest.raises(ImageUnknown, match="there is no file"):
        archive.import_file(tmp_path / "none")
    with pytest.raises(ImageUnknown, match="no image of debian-12 here.*labkit image build"):
        archive.export(DEBIAN, tmp_path / "out")
    with pytest.raises(ImageUnknown):
        images.remove(DEBIAN)


@pytest.fixture
def ours(board, cache, monkeypatch):
    """The image in a cache of its own, to do harm to; large files are shared, not copied."""
    monkeypatch.undo()
    image = images.find(DEBIAN)
    whole = image.directory
    monkeypatch.setenv("LABKIT_CACHE", str(cache))
    target = image.directory
    target.mkdir(parents=True)
    for name in (*image.files, "manifest.json"):
        line = ["cp", "--archive", "--reflink=auto", str(whole / name), str(target / name)]
        subprocess.run(line, check=True)
    return images.find(DEBIAN)


def test_a_whole_image_in_the_cache_is_taken(ours):
    assert ensure_image(DEBIAN) == ours


def test_a_disk_that_lost_its_end_in_the_cache_is_corrupt(ours):
    os.truncate(ours.directory / "disk.qcow2", 1000)
    with pytest.raises(
        ImageCorrupt, match=r"disk\.qcow2 is not what its manifest says.*labkit image"
    ) as torn:
        ensure_image(DEBIAN)
    assert "\n" not in str(torn.value)


def test_a_changed_byte_in_the_cache_is_noticed(ours):
    flip(ours.directory / "kernel", 5000)
    with pytest.raises(ImageCorrupt, match="kernel is not what"):
        ensure_image(DEBIAN)


def test_a_file_missing_in_the_cache_is_noticed(ours):
    (ours.directory / "initrd").unlink()
    with pytest.raises(ImageCorrupt, match="initrd is not what"):
        ensure_image(DEBIAN)


def test_a_manifest_that_is_none_is_corrupt(ours):
    (ours.directory / "manifest.json").write_text('{"platform":\n')
    with pytest.raises(ImageCorrupt, match="is not a manifest") as torn:
        ensure_image(DEBIAN)
    assert "\n" not in str(torn.value)


def test_a_removed_image_is_gone(ours):
    assert images.remove(DEBIAN) == [ours]
    assert images.images() == []
    assert left_in(Path(os.environ["LABKIT_CACHE"])) == []


def test_without_space_nothing_is_begun(cache, exported, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1 << 30, (1 << 30) - 5, 5 << 20))
    with pytest.raises(DiskFull, match="5 MiB free; expected 3072 MiB.*LABKIT_CACHE") as full:
        ensure_image(DEBIAN)
    assert "\n" not in str(full.value)
    with pytest.raises(DiskFull):
        archive.import_file(exported)
    assert left_in(cache) == []


def test_a_missing_program_comes_with_the_line_that_installs_it(cache, tmp_path, monkeypatch):
    if shutil.which("apt-get") is None:
        pytest.skip("no apt-get on this machine")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "apt-get").symlink_to(shutil.which("apt-get"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ToolNotFound) as missing:
        ensure_image(DEBIAN)
    assert "qemu-system-aarch64 and qemu-img not on this machine" in str(missing.value)
    assert str(missing.value).endswith("apt-get install qemu-system-arm qemu-utils")
    assert "\n" not in str(missing.value)


def test_a_build_without_a_mirror_fails_in_one_line_and_leaves_only_its_log(
    cache, tmp_path, monkeypatch
):
    monkeypatch.setenv("LABKIT_MIRROR", f"file://{tmp_path}/no-mirror")
    half = cache / "images" / f".build-debian-12-{images.recipe_digest(DEBIAN)}-left"
    (half / "image").mkdir(parents=True)
    (half / "image" / "manifest.json").write_text("{}")
    assert images.images() == []
    with pytest.raises(ImageBuildFailed, match=r"no package mirror.*debian-12-build\.log") as no:
        ensure_image(DEBIAN)
    assert "\n" not in str(no.value)
    assert left_in(cache) == ["debian-12-build.log"]


def test_a_build_killed_half_way_leaves_no_image_and_the_next_one_sweeps(
    cache, tmp_path, monkeypatch
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mirror = f"http://127.0.0.1:{silent.getsockname()[1]}/debian"
        monkeypatch.setenv("LABKIT_MIRROR", mirror)
        program = (
            "from labkit import platforms, virtual; "
            "virtual.ensure_image(platforms.get('debian-12'))"
        )
        line = [sys.executable, "-c", program]
        build = subprocess.Popen(line, stderr=subprocess.DEVNULL, start_new_session=True)
        silent.settimeout(60)
        with silent.accept()[0]:  # so the build has come to the packages
            os.killpg(build.pid, signal.SIGKILL)  # as where the power goes
            build.wait(10)
    assert len(list((cache / "images").glob(".build-*"))) == 1
    assert images.images() == []
    monkeypatch.setenv("LABKIT_MIRROR", f"file://{tmp_path}/no-mirror")
    with pytest.raises(ImageBuildFailed):
        ensure_image(DEBIAN)
    assert left_in(cache) == ["debian-12-build.log"]


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root's builds mount something")
def test_a_build_killed_while_it_installs_leaves_no_process_and_no_mount(cache, eventually):
    line = [sys.executable, "-c", "from labkit.cli import main; main()", "image", "build"]
    build = subprocess.Popen([*line, "debian-12"], stderr=subprocess.DEVNULL)
    built = ".build-*/mmdebstrap.*/var/lib/dpkg/info/*.list"
    eventually(lambda: list((cache / "images").glob(built)), within=60)
    build.kill()  # only labkit itself, as the kernel does when memory runs out
    build.wait(10)
    eventually(lambda: str(cache) not in command_lines())
    assert str(cache) not in Path("/proc/self/mounts").read_text()
    assert images.images() == []


def command_lines():
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(file.read_text())
    return "\n".join(found)


def refused(file, why=None):
    with pytest.raises(ImageCorrupt, match=why) as corrupt:
        archive.import_file(file)
    assert "\n" not in str(corrupt.value)
    assert images.images() == []


def left_in(cache):
    return sorted(path.name for path in (cache / "images").glob("*")) if cache.exists() else []


def flip(file, place):
    with file.open("r+b") as bytes_:
        bytes_.seek(place)
        (old,) = bytes_.read(1)
        bytes_.seek(place)
        bytes_.write(bytes([old ^ 0x01]))
