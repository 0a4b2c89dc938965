"""config.txt as the firmware reads it, and as labkit edits it."""

import pytest

from labkit.raspberrypi import models
from labkit.raspberrypi.configtxt import ConfigTxt, known_keys

TEXT = """\
# the clocks of this board
arm_freq=2000

[pi4]
arm_freq=1800
[cm5]
otg_mode=1
[all]
#arm_freq=3000
dtparam=audio=on
"""


@pytest.mark.parametrize(
    "text", [TEXT, TEXT.replace("\n", "\r\n"), "", "\n\n", "arm_freq=1", " x \n", "#\x0c\u2028\r\n"]
)
def test_a_text_comes_back_byte_for_byte(text):
    assert str(ConfigTxt.parse(text)) == text


def test_the_filters_of_a_model_and_of_its_family_hold_for_it():
    text = ConfigTxt.parse(TEXT)
    assert text.settings("pi5") == {"arm_freq": "2000", "dtparam": "audio=on"}
    assert text.settings("pi4")["arm_freq"] == "1800"
    assert text.settings("cm5")["otg_mode"] == "1"
    assert "arm_freq" not in ConfigTxt.parse("[none]\narm_freq=1").settings("pi5")
    both = ConfigTxt.parse("[pi5]\n[EDID=DEL-U2422H]\narm_freq=1\n[all]\narm_freq_min=2")
    assert both.settings("pi5") == {"arm_freq_min": "2"}


def test_a_filter_of_the_same_kind_replaces_the_one_before():
    assert ConfigTxt.parse("[pi4]\n[pi5]\narm_freq=1\n").settings("pi5") == {"arm_freq": "1"}
    assert ConfigTxt.parse("[none]\n[pi5]\narm_freq=1\n").settings("pi5") == {"arm_freq": "1"}


def test_of_a_key_given_twice_the_last_counts_and_is_the_one_that_is_edited():
    text = ConfigTxt.parse("arm_freq=1\narm_freq=2\n").set("arm_freq", 3)
    assert str(text) == "arm_freq=1\narm_freq=3\n"
    assert text.settings("pi5") == {"arm_freq": "3"}


def test_a_space_before_the_equals_sign_belongs_to_the_key_as_for_the_firmware():
    text = ConfigTxt.parse("arm_freq = 2000\n")
    assert text.settings("pi5").get("arm_freq") is None
    assert text.unknown_keys("pi5") == ["arm_freq "]


@pytest.mark.parametrize("character", ["\x0b", "\x0c", "\x85", "\u2028"])
def test_a_part_of_a_comment_is_no_setting(character):
    assert ConfigTxt.parse(f"# here{character}arm_freq=1600\n").settings("pi5") == {}


def test_what_follows_the_98th_character_is_not_read():
    line = "dtparam=" + "x" * 90 + "lost"
    assert ConfigTxt.parse(line).settings("pi5")["dtparam"] == "x" * 90
    assert str(ConfigTxt.parse(line)) == line


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# only this\n", "# only this\narm_freq=2100\n"),
        ("arm_64bit=1", "arm_64bit=1\narm_freq=2100\n"),
        ("[pi4]\narm_freq=1\n", "[pi4]\narm_freq=1\n\n[all]\narm_freq=2100\n"),
        ("[pi5]\r\narm_freq=1\r\n# end\r\n", "[pi5]\r\narm_freq=2100\r\n# end\r\n"),
        ("", "arm_freq=2100\n"),
    ],
)
def test_an_edit_touches_one_line_or_adds_one_where_it_counts(before, after):
    text = ConfigTxt.parse(before).set("arm_freq", 2100)
    assert str(text) == after
    assert text.settings("pi5")["arm_freq"] == "2100"


def test_a_key_of_which_every_line_counts_gets_a_new_line():
    text = ConfigTxt.parse("dtoverlay=vc4-kms-v3d\narm_boost=1\n").set("dtoverlay", "dwc2")
    assert str(text) == "dtoverlay=vc4-kms-v3d\narm_boost=1\ndtoverlay=dwc2\n"
    assert text.set("dtoverlay", "dwc2") == text


def test_keys_that_the_firmware_does_not_have_are_reported():
    text = ConfigTxt.parse("arm_freq_max=2400\narm_freq=2400\nover_voltage_delta=0\n")
    assert text.unknown_keys("pi5") == ["arm_freq_max"]
    assert known_keys()["arm_freq_min"].default == "1500"
    assert all(key.source and key.meaning for key in known_keys().values())


@pytest.mark.parametrize(
    ("device_tree", "model", "filters"),
    [
        ("Raspberry Pi 5 Model B Rev 1.0", "pi5", {"pi5"}),
        ("Raspberry Pi 5 Model B (virtual, QEMU)", "pi5", {"pi5"}),
        ("Raspberry Pi Compute Module 5 Rev 1.0", "cm5", {"pi5", "cm5"}),
        ("Raspberry Pi 500 Rev 1.0", "pi500", {"pi5", "pi500"}),
        ("Raspberry Pi 4 Model B Rev 1.4", "pi4", {"pi4"}),
        ("Raspberry Pi Compute Module 4 Rev 1.1", "cm4", {"pi4", "cm4"}),
        ("Raspberry Pi 400 Rev 1.0", "pi400", {"pi4", "pi400"}),
        ("Raspberry Pi 3 Model B Rev 1.2", "pi3", {"pi3"}),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", "pi3+", {"pi3", "pi3+"}),
        ("linux,dummy-virt", None, None),
    ],
)
def test_a_model_is_identified_by_its_device_tree(device_tree, model, filters):
    assert models.identify(device_tree) == model
    assert model is None or models.filters(model) == filters


def test_only_its_own_filter_holds_for_an_unknown_model():
    assert ConfigTxt.parse("[pi5]\narm_freq=1\n[pi6]\narm_freq=2\n").settings("pi6") == {
        "arm_freq": "2"
    }
