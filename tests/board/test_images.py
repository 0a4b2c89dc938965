"""Images: copied to another machine in one file; an incomplete or changed one is refused."""

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

import psutil
import pytest

import labkit
from labkit import platforms
from labkit.errors import DiskFull, ImageBuildFailed, ImageCorrupt, ImageUnknown, ToolNotFound
from labkit.virtual import VirtualMachine, archive, ensure_image, images

DEBIAN = platforms.get("debian-12")


@pytest.fixture(scope="module")
def export_file(board, tmp_path_factory):
    """The image of the board's platform as one file."""
    directory = tmp_path_factory.mktemp("export_file")
    yield archive.export(DEBIAN, directory / "debian.labkit")
    shutil.rmtree(directory)


@pytest.fixture
def copy(export_file, tmp_path):
    """A copy of the exported file, for a test to damage; no sum lies beside it."""
    subprocess.run(["cp", "--reflink=auto", export_file, tmp_path / "copy.labkit"], check=True)
    yield tmp_path / "copy.labkit"
    (tmp_path / "copy.labkit").unlink()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache directory, as on another machine."""
    directory = tmp_path / "cache"
    monkeypatch.setenv("LABKIT_CACHE", str(directory))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def test_an_export_has_its_sum_beside_it(export_file):
    sum_file = export_file.with_name("debian.labkit.sha256")
    digest, name = sum_file.read_text().split()
    assert name == export_file.name
    with export_file.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == digest
    assert sorted(path.name for path in export_file.parent.iterdir()) == [name, sum_file.name]


@pytest.mark.slow
def test_an_imported_image_boots(export_file, cache):
    image = archive.import_file(export_file)
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
    assert_corrupt(copy)
    assert image_names(cache) == []


@pytest.mark.parametrize("name", ["disk.qcow2", "kernel", "login_key"])
def test_a_file_with_one_changed_byte_is_corrupt_and_leaves_nothing(copy, cache, name):
    with tarfile.open(copy) as tar:
        member = tar.getmember(name)
    flip_bit(copy, member.offset_data + member.size // 2)
    assert_corrupt(copy)
    assert image_names(cache) == []


def test_a_sum_that_does_not_fit_is_noticed_first(copy, cache):
    copy.with_name("copy.labkit.sha256").write_text(f"{'0' * 64}  copy.labkit\n")
    assert_corrupt(copy, "does not have the sha256 in copy.labkit.sha256")


def test_a_file_that_is_no_image_is_corrupt(tmp_path, cache):
    (tmp_path / "text").write_text("no image\n" * 1000)
    assert_corrupt(tmp_path / "text", "is not an exported image")
    with tarfile.open(tmp_path / "tar", "w") as tar:
        tar.add(tmp_path / "text", "text")
    assert_corrupt(tmp_path / "tar", "holds no manifest.json")
    assert image_names(cache) == []


@pytest.mark.parametrize("recipe", ["../../elsewhere", "x/y", "..", ""])
def test_a_manifest_that_names_another_dir_is_corrupt(tmp_path, cache, recipe):
    (tmp_path / "elsewhere").mkdir()
    empty = dict.fromkeys(("release", "built", "host_key"), "")
    values = {"platform": "debian-12", "recipe": recipe, "files": {}, **empty}
    (tmp_path / "manifest.json").write_text(json.dumps(values))
    with tarfile.open(tmp_path / "tar", "w") as tar:
        tar.add(tmp_path / "manifest.json", "manifest.json")
    assert_corrupt(tmp_path / "tar")
    assert (tmp_path / "elsewhere").is_dir()


def test_a_file_that_is_not_there_is_named(tmp_path, cache):
    with pytest.raises(ImageUnknown, match="there is no file"):
        archive.import_file(tmp_path / "none")
    with pytest.raises(ImageUnknown, match="no image of debian-12 .*labkit image build"):
        archive.export(DEBIAN, tmp_path / "out")
    with pytest.raises(ImageUnknown):
        images.remove(DEBIAN)


@pytest.fixture
def image_copy(board, cache, monkeypatch):
    """The image in a cache of its own, for a test to damage."""
    monkeypatch.undo()
    image = images.find(DEBIAN)
    source = image.directory
    monkeypatch.setenv("LABKIT_CACHE", str(cache))
    target = image.directory
    target.mkdir(parents=True)
    for name in (*image.files, "manifest.json"):
        argv = ["cp", "--archive", "--reflink=auto", str(source / name), str(target / name)]
        subprocess.run(argv, check=True)
    return images.find(DEBIAN)


def test_a_complete_image_in_the_cache_is_taken(image_copy):
    assert ensure_image(DEBIAN) == image_copy


def test_a_disk_that_lost_its_end_in_the_cache_is_corrupt(image_copy):
    os.truncate(image_copy.directory / "disk.qcow2", 1000)
    with pytest.raises(
        ImageCorrupt, match=r"disk\.qcow2 is not what its manifest says.*labkit image"
    ) as error:
        ensure_image(DEBIAN)
    assert "\n" not in str(error.value)


def test_a_changed_byte_in_the_cache_is_noticed(image_copy):
    flip_bit(image_copy.directory / "kernel", 5000)
    with pytest.raises(ImageCorrupt, match="kernel is not what"):
        ensure_image(DEBIAN)


def test_a_file_missing_in_the_cache_is_noticed(image_copy):
    (image_copy.directory / "initrd").unlink()
    with pytest.raises(ImageCorrupt, match="initrd is not what"):
        ensure_image(DEBIAN)


def test_a_manifest_that_is_none_is_corrupt(image_copy):
    (image_copy.directory / "manifest.json").write_text('{"platform":\n')
    with pytest.raises(ImageCorrupt, match="is not a manifest") as error:
        ensure_image(DEBIAN)
    assert "\n" not in str(error.value)


def test_a_removed_image_is_gone(image_copy):
    assert images.remove(DEBIAN) == [image_copy]
    assert images.images() == []
    assert image_names(Path(os.environ["LABKIT_CACHE"])) == []


def test_without_space_nothing_is_begun(cache, export_file, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1 << 30, (1 << 30) - 5, 5 << 20))
    with pytest.raises(DiskFull, match="5 MiB free; expected 3072 MiB.*LABKIT_CACHE") as error:
        ensure_image(DEBIAN)
    assert "\n" not in str(error.value)
    with pytest.raises(DiskFull):
        archive.import_file(export_file)
    assert image_names(cache) == []


def test_a_missing_program_comes_with_the_line_that_installs_it(cache, tmp_path, monkeypatch):
    if shutil.which("apt-get") is None:
        pytest.skip("no apt-get on this machine")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "apt-get").symlink_to(shutil.which("apt-get"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ToolNotFound) as error:
        ensure_image(DEBIAN)
    assert "qemu-system-aarch64 and qemu-img not on this machine" in str(error.value)
    assert str(error.value).endswith("apt-get install qemu-system-arm qemu-utils")
    assert "\n" not in str(error.value)


def test_a_build_without_a_mirror_fails_in_one_line_and_leaves_only_its_log(
    cache, tmp_path, monkeypatch
):
    monkeypatch.setenv("LABKIT_MIRROR", f"file://{tmp_path}/no-mirror")
    leftover = cache / "images" / f".build-debian-12-{images.recipe_digest(DEBIAN)}-left"
    (leftover / "image").mkdir(parents=True)
    (leftover / "image" / "manifest.json").write_text("{}")
    assert images.images() == []
    with pytest.raises(ImageBuildFailed, match=r"no package mirror.*debian-12-build\.log") as error:
        ensure_image(DEBIAN)
    assert "\n" not in str(error.value)
    assert image_names(cache) == ["debian-12-build.log"]


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
        argv = [sys.executable, "-c", program]
        build = subprocess.Popen(argv, stderr=subprocess.DEVNULL, start_new_session=True)
        silent.settimeout(60)
        with silent.accept()[0]:  # so the build has come to the packages
            os.killpg(build.pid, signal.SIGKILL)  # as where the power goes
            build.wait(10)
    assert len(list((cache / "images").glob(".build-*"))) == 1
    assert images.images() == []
    monkeypatch.setenv("LABKIT_MIRROR", f"file://{tmp_path}/no-mirror")
    with pytest.raises(ImageBuildFailed):
        ensure_image(DEBIAN)
    assert image_names(cache) == ["debian-12-build.log"]


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root's builds mount something")
def test_a_build_killed_while_it_installs_leaves_no_process_and_no_mount(cache, eventually):
    main = "from labkit.cli import main; main()"
    argv = [sys.executable, "-c", main, "image", "build", "debian-12"]
    build = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    package_lists = ".build-*/mmdebstrap.*/var/lib/dpkg/info/*.list"
    eventually(lambda: list((cache / "images").glob(package_lists)), within=60)
    build.kill()  # only labkit itself, as the kernel does when memory runs out
    build.wait(10)
    eventually(lambda: not processes_in(cache))
    assert str(cache) not in Path("/proc/self/mounts").read_text()
    assert images.images() == []


def processes_in(directory):
    processes = psutil.process_iter(["cmdline"])
    return [p for p in processes if str(directory) in "\n".join(p.info["cmdline"] or [])]


def assert_corrupt(file, match=None):
    with pytest.raises(ImageCorrupt, match=match) as error:
        archive.import_file(file)
    assert "\n" not in str(error.value)
    assert images.images() == []


def image_names(cache):
    return sorted(path.name for path in (cache / "images").glob("*")) if cache.exists() else []


def flip_bit(path, offset):
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 0x01]))
