"""Platform files: those there are can be read, and a mistake in one is named in one line."""

import dataclasses
from importlib.resources import files
from pathlib import Path

import pytest

from labkit import platforms
from labkit.errors import PlatformError

DEBIAN = Path(str(files("labkit.platforms").joinpath("debian-12.toml"))).read_text()


@pytest.fixture
def load(tmp_path):
    def load(text):
        (tmp_path / "mine.toml").write_text(text)
        return platforms.load(tmp_path / "mine.toml")

    return load


@pytest.mark.parametrize("name", platforms.names())
def test_every_platform_there_is_can_be_read(name):
    platform = platforms.get(name)
    assert platform.name == name
    assert platform.title
    assert platform.packages.libc


def test_only_a_pi_has_a_firmware_that_we_play_and_a_kernel_from_backports():
    recipes = {name: platforms.get(name).virtual for name in platforms.names()}
    assert [name for name, recipe in recipes.items() if recipe.firmware] == ["raspberry-pi-5"]
    assert [name for name, recipe in recipes.items() if recipe.backports] == ["raspberry-pi-5"]
    assert recipes["raspberry-pi-5"].command_line == "", "the firmware has the word on it"


def test_a_new_file_is_a_new_platform(load):
    assert load(DEBIAN) == dataclasses.replace(platforms.get("debian-12"), name="mine")


def test_a_platform_need_not_be_virtual(load):
    assert load(DEBIAN.partition("[virtual]")[0]).virtual is None


def test_an_unknown_platform_names_those_there_are():
    with pytest.raises(PlatformError, match=r"'debian-13'; expected one of debian-12, "):
        platforms.get("debian-13")


@pytest.mark.parametrize("name", ["", "../platforms/debian-12", "__init__"])
def test_a_name_that_is_no_platform_is_unknown(name):
    with pytest.raises(PlatformError, match="there is no platform"):
        platforms.get(name)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (
            'section = "2.3"',
            'section = "2.3"\nmemory = 1',
            r"mine.toml has the unknown key 'memory'",
        ),
        ("cpus = 2", "cpus = 2\ncores = 2", r"\[virtual\] has the unknown key 'cores'"),
        ("cpus = 2\n", "", r"\[virtual\] lacks the key 'cpus'"),
        ('os_id = "debian"\n', "", "mine.toml lacks the key 'os_id'"),
        ('libc = "libc6-dev", ', "", r"\[packages\] lacks the key 'libc'"),
        ("packages = {", "parcels = {", r"\[packages\] is missing"),
        ("cpus = 2", 'cpus = "2"', r"\[virtual\]: cpus = '2'; expected a int"),
        ("cpus = 2", "cpus = true", r"\[virtual\]: cpus = True"),
        ("cpus = 2", "cpus = 2\nfirmware = 1", r"\[virtual\]: firmware = 1; expected a bool"),
        ('os_version = "12"', "os_version = 12", "mine.toml: os_version = 12; expected a str"),
        ('include = ["apt"', "include = [3", r"include = .*expected a list\[str\]"),
        ("[virtual]", "[virtual", "cannot be read.*line"),
        ("[virtual]", "[[virtual]]", r"\[virtual\] is missing or not a table"),
    ],
)
def test_a_mistake_in_a_file_is_named_in_one_line(load, old, new, named):
    assert old in DEBIAN
    with pytest.raises(PlatformError, match=named) as wrong:
        load(DEBIAN.replace(old, new))
    assert "\n" not in str(wrong.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PlatformError, match=r"none.toml cannot be read"):
        platforms.load(tmp_path / "none.toml")
