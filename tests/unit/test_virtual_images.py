"""Images in the cache, without a board: manifests, and the commands of `labkit image`."""

import dataclasses
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from labkit import platforms
from labkit.cli import app
from labkit.virtual import images

DEBIAN = platforms.get("debian-12")

# Written by commit 6492e96.
MANIFEST = Path(__file__).parent / "data/6492e96/image/manifest.json"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache directory."""
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def image(cache):
    """The image of that manifest in the cache; its other files are empty."""
    directory = cache / "images" / "debian-12-3ef4fb2e"
    directory.mkdir(parents=True)
    for name in images.FILES:
        (directory / name).touch()
    shutil.copy(MANIFEST, directory)
    return images.read_manifest(directory / "manifest.json")


def run(*args):
    result = CliRunner().invoke(app, ["image", *args])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_manifest_of_an_earlier_version_is_read(image):
    assert (image.platform, image.recipe, image.release) == (
        "debian-12",
        "3ef4fb2e",
        "6.1.0-56-arm64",
    )
    assert image.built == "2026-11-28T01:37:39+00:00"
    assert image.host_key.startswith("ssh-ed25519 AAAA")
    assert set(image.files) == set(images.FILES)
    digest, size = image.files["login_key"]
    assert (digest[:8], size) == ("bce00742", 399)


def test_an_image_of_an_earlier_version_is_found(image):
    assert images.find(DEBIAN) == image
    assert images.images() == [image]
    assert image.current


def test_a_manifest_is_written_as_the_earlier_version_wrote_it(image, tmp_path):
    images.write_manifest(image, tmp_path)
    assert (tmp_path / "manifest.json").read_bytes() == MANIFEST.read_bytes()


def test_the_list_has_images_of_old_recipes_and_of_unknown_platforms(image, cache):
    for values in ({"recipe": "00000000"}, {"platform": "my-board"}):
        other = dataclasses.replace(image, **values)
        other.directory.mkdir()
        images.write_manifest(other, other.directory)
    lines = [line for line in run("list").splitlines() if "6.1.0-56-arm64" in line]
    assert len(lines) == 3
    assert [" yes" in line for line in lines].count(True) == 1


@pytest.mark.parametrize(
    ("options", "rebuild"), [((), False), (("--rebuild",), True), (("--again",), True)]
)
def test_an_image_is_built_again_with_rebuild_and_with_its_earlier_name(
    options, rebuild, image, monkeypatch
):
    calls = []

    def ensure_image(platform, *, rebuild):
        calls.append((platform.name, rebuild))
        return image

    monkeypatch.setattr("labkit.cli.image.ensure_image", ensure_image)
    run("build", "debian-12", *options)
    assert calls == [("debian-12", rebuild)]


def test_the_help_shows_the_new_name_only():
    assert "--rebuild" in run("build", "--help")
    assert "--again" not in run("build", "--help")


def test_an_image_is_removed_while_boards_of_other_platforms_exist(image, cache):
    (cache / "machines" / "debian-12-other").mkdir(parents=True)
    (cache / "machines" / "debian-12-other@x").mkdir()
    run("remove", "debian-12")
    assert images.images() == []


def test_an_image_with_a_board_is_not_removed(image, cache):
    (cache / "machines" / "debian-12@x").mkdir(parents=True)
    result = CliRunner().invoke(app, ["image", "remove", "debian-12"])
    assert result.exit_code == 1
    assert images.images() == [image]
