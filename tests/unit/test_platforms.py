"""Platform files: all can be read, one is added by data alone, a mistake is named in one line."""

import dataclasses
from importlib.resources import files
from pathlib import Path

import pytest

from labkit import platforms
from labkit.errors import PlatformError
from labkit.raspberrypi import models
from labkit.virtual import images
from labkit.virtual.firmware import boot_config_from_disk, fingerprint
from labkit.virtual.machine import VirtualMachine

DEBIAN = Path(str(files("labkit.platforms").joinpath("debian-12.toml"))).read_text()
PI_4 = Path(__file__).parent / "data" / "platforms" / "raspberry-pi-4.toml"
SHIPPED = ["debian-12", "raspberry-pi-5", "ubuntu-22.04"]


@pytest.fixture
def load(tmp_path):
    def load(text):
        (tmp_path / "own.toml").write_text(text)
        return platforms.load(tmp_path / "own.toml")

    return load


@pytest.fixture
def own_dir(tmp_path, monkeypatch):
    """The directory of the user's own platforms."""
    monkeypatch.setenv("LABKIT_CONFIG", str(tmp_path))
    (tmp_path / "platforms").mkdir()
    return tmp_path / "platforms"


def test_three_platforms_come_with_labkit():
    assert platforms.names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_every_platform_can_be_read(name):
    platform = platforms.get(name)
    assert platform.name == name
    assert platform.title
    assert platform.packages.libc


def test_only_a_pi_has_an_emulated_firmware_and_a_kernel_from_backports():
    recipes = {name: platforms.get(name).virtual for name in SHIPPED}
    assert [name for name, recipe in recipes.items() if recipe.firmware] == ["raspberry-pi-5"]
    assert [name for name, recipe in recipes.items() if recipe.backports] == ["raspberry-pi-5"]
    assert recipes["raspberry-pi-5"].command_line == "", "the firmware decides on it"


@pytest.mark.parametrize(
    ("name", "digest"),
    [("debian-12", "3ef4fb2e"), ("raspberry-pi-5", "721201dd"), ("ubuntu-22.04", "316c862a")],
)
def test_the_images_of_commit_6492e96_stay_valid(name, digest):
    """A recipe's digest is in the name of its image: with another one the image is built again.

    After a change of a recipe that needs new images, write the new digests here.
    """
    assert images.recipe_digest(platforms.get(name)) == digest


def test_the_digest_is_made_of_the_same_text_as_in_commit_6492e96():
    assert repr(platforms.get("raspberry-pi-5").virtual) == (
        "VirtualSpec(suite='bookworm', kernel='linux-image-arm64-16k', machine='virt', "
        "cpu='cortex-a76', cpus=4, memory=1024, disk=3072, "
        "include=['apt', 'rt-tests', 'strace', 'xz-utils'], command_line='', "
        "backports='bookworm-backports', firmware=True)"
    )
    assert repr(platforms.get("debian-12").virtual).endswith(", backports='', firmware=False)")


# -- a new platform is a new file --------------------------------------------------------------


def test_a_new_file_is_a_new_platform(load):
    assert load(DEBIAN) == dataclasses.replace(platforms.get("debian-12"), name="own")


def test_a_platform_need_not_be_virtual(load):
    assert load(DEBIAN.partition("[virtual]")[0]).virtual is None


def test_a_file_of_the_users_is_a_platform_like_those_of_labkit(own_dir):
    (own_dir / "debian-13.toml").write_text(DEBIAN.replace('"12"', '"13"'))
    (own_dir / ".#debian-14.toml").write_text("an editor's own file")
    assert platforms.names() == ["debian-12", "debian-13", "raspberry-pi-5", "ubuntu-22.04"]
    assert platforms.get("debian-13").os_version == "13"
    assert VirtualMachine("debian-13@other").recipe == platforms.get("debian-12").virtual
    (own_dir / "debian-13.toml").write_text(DEBIAN)
    assert platforms.get("debian-13").os_version == "12", "an edited file is read again"


def test_a_file_of_the_users_cannot_replace_a_platform_of_labkit(own_dir):
    (own_dir / "debian-12.toml").write_text(DEBIAN)
    assert platforms.names() == SHIPPED
    with pytest.raises(PlatformError, match=r"debian-12.toml has the name of a platform of labkit"):
        platforms.get("debian-12")
    assert platforms.get("ubuntu-22.04").os_id == "ubuntu"


def test_a_raspberry_pi_4_needs_data_and_no_code(own_dir):
    """What makes its image and boots it: the recipe, the firmware's decisions, the model."""
    (own_dir / PI_4.name).write_text(PI_4.read_text())
    machine = VirtualMachine("raspberry-pi-4")
    recipe = machine.recipe
    assert (recipe.cpu, recipe.kernel) == ("cortex-a72", "linux-image-arm64")
    assert images.recipe_digest(machine.platform) not in {
        images.recipe_digest(platforms.get(name)) for name in SHIPPED
    }
    boot = boot_config_from_disk(recipe.firmware, None)
    assert boot.megahertz == tuple(range(600, 1801, 100)), "config.txt has arm_boost=1"
    assert boot.command_line.startswith("coherent_pool=1M 8250.nr_uarts=1 cgroup_disable=memory ")
    assert boot.notes == ()
    tree = fingerprint(recipe, boot)
    assert 'model = "Raspberry Pi 4 Model B Rev 1.4 (virtual, QEMU)";' in tree
    assert "opp-1800000000 {" in tree
    assert models.identify(boot.model) == recipe.firmware.model == "pi4"


# -- mistakes ----------------------------------------------------------------------------------


def test_an_unknown_platform_names_those_there_are():
    with pytest.raises(PlatformError, match=r"'debian-13'; expected one of debian-12, "):
        platforms.get("debian-13")


@pytest.mark.parametrize("name", ["", "../platforms/debian-12", "__init__"])
def test_a_name_that_is_no_platform_is_unknown(name):
    with pytest.raises(PlatformError, match="there is no platform"):
        platforms.get(name)


@pytest.mark.parametrize("name", ["a b", "-x", "a@b"])
def test_a_file_whose_name_cannot_be_a_boards_is_refused(tmp_path, name):
    (tmp_path / f"{name}.toml").write_text(DEBIAN)
    with pytest.raises(PlatformError, match="cannot name a platform"):
        platforms.load(tmp_path / f"{name}.toml")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (
            'section = "2.3"',
            'section = "2.3"\nmemory = 1',
            r"own.toml has the unknown key 'memory'; expected one of title, os_id, ",
        ),
        ('section = "2.3"', 'section = "2.3"\nname = "x"', "has the unknown key 'name'"),
        ("cpus = 2", "cpus = 2\ncores = 2", "has the unknown key 'virtual.cores'; .*suite, kernel"),
        ("cpus = 2\n", "", "own.toml has no key 'virtual.cpus'"),
        ('os_id = "debian"\n', "", "own.toml has no key 'os_id'"),
        ('libc = "libc6-dev", ', "", "has no key 'packages.libc'"),
        ("packages = {", "parcels = {", "has the unknown key 'parcels'"),
        ("packages = {", "#", "has no key 'packages'"),
        ("cpus = 2", 'cpus = "2"', "own.toml: virtual.cpus = '2'; expected a whole number"),
        ("cpus = 2", "cpus = true", "virtual.cpus = True; expected a whole number"),
        ("cpus = 2", "cpus = 2.0", "virtual.cpus = 2.0; expected a whole number"),
        ("cpus = 2", "cpus = 2\nfirmware = 1", "virtual.firmware = 1; expected a table"),
        ("cpus = 2", "cpus = 2\nfirmware = {}", "has no key 'virtual.firmware.model'"),
        ("cpus = 2", "cpus = 2\nfirmware.rev = 1", "unknown key 'virtual.firmware.rev'; .*model, "),
        ('os_version = "12"', "os_version = 12", "own.toml: os_version = 12; expected text"),
        ('include = ["apt"', "include = [3", r"virtual.include\[0\] = 3; expected text"),
        ('include = ["apt", "rt-tests", "strace"]', 'include = "apt"', "'apt'; expected a list"),
        ("[virtual]", "[virtual", "own.toml is not TOML.*line"),
        ("[virtual]", "[[virtual]]", r"virtual = \[\{'suite': .*\.\.\.; expected a table"),
    ],
)
def test_a_mistake_in_a_file_is_named_in_one_line(load, old, new, named):
    assert old in DEBIAN
    with pytest.raises(PlatformError, match=named) as wrong:
        load(DEBIAN.replace(old, new))
    assert "\n" not in str(wrong.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PlatformError, match=r"none.toml cannot be read: No such file"):
        platforms.load(tmp_path / "none.toml")


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PlatformError, match=r"binary.toml is not TOML"):
        platforms.load(tmp_path / "binary.toml")
