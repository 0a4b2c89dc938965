"""The user's own boards: added, found, removed; a mistake in the file is one line."""

import tomllib
from pathlib import Path

import pytest

import labkit
from labkit.boards import inventory
from labkit.boards.inventory import BoardEntry
from labkit.errors import BoardUnknown, InventoryError


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_CONFIG", str(tmp_path))
    return tmp_path


def test_without_a_file_there_are_no_boards():
    assert inventory.entries() == {}
    assert inventory.find("pi") is None


def test_what_is_added_is_found_again():
    pi = BoardEntry("pi", "pi.local", "raspberry-pi-5", user="pi", port=2222, key='~/a "key"\\x')
    tidy = BoardEntry("pi.2", "10.0.0.2", "debian-12", jump="pi@10.0.0.1:22,b")
    file = inventory.add(pi)
    inventory.add(tidy)
    assert inventory.entries() == {"pi": pi, "pi.2": tidy}
    assert [path.name for path in file.parent.iterdir()] == ["boards.toml"]


def test_a_board_added_again_takes_the_place_of_the_first():
    inventory.add(BoardEntry("pi", "10.0.0.1", "debian-12", port=22))
    inventory.add(BoardEntry("pi", "10.0.0.2", "debian-12"))
    assert inventory.entries() == {"pi": BoardEntry("pi", "10.0.0.2", "debian-12")}


def test_a_removed_board_is_gone():
    inventory.add(BoardEntry("pi", "10.0.0.1", "debian-12"))
    inventory.remove("pi")
    assert inventory.entries() == {}
    with pytest.raises(BoardUnknown, match="'pi'"):
        inventory.remove("pi")


@pytest.mark.parametrize("name", ["", "a b", "-x", "a/b", "a@b", "ü", "a\nb"])
def test_a_name_with_other_characters_is_refused(name):
    with pytest.raises(InventoryError, match="cannot name a board"):
        inventory.add(BoardEntry(name, "10.0.0.1", "debian-12"))


@pytest.mark.parametrize(
    "value", ["a\nb", "a\r\nb", "\t", "\x00\x1b\x7f", "\x85\u2028", '"""', "'''", "\\u0041", "ü 😀"]
)
def test_a_value_with_any_character_leaves_the_file_readable(value):
    inventory.add(BoardEntry("pi", "10.0.0.1", "debian-12"))
    odd = BoardEntry("odd", value, "debian-12", key=value)
    inventory.add(odd)
    assert inventory.find("odd") == odd
    inventory.add(BoardEntry("pi", value, "debian-12"))
    assert inventory.find("pi").host == value


def test_a_value_that_is_no_text_is_refused_and_the_file_stays(config):
    inventory.add(BoardEntry("pi", "10.0.0.1", "debian-12"))
    before = (config / "boards.toml").read_bytes()
    with pytest.raises(InventoryError, match="cannot hold these values; expected UTF-8 text"):
        inventory.add(BoardEntry("odd", "\udc80", "debian-12"))
    assert (config / "boards.toml").read_bytes() == before


# -- a file that its owner has edited ----------------------------------------------------------

BY_HAND = """\
# Boards of the lab. Ask Ada before you add one.

[pi]  # on the window sill
host = 'pi.local'   # by mDNS
platform="raspberry-pi-5"
# key = "~/.ssh/old"

# The rack in the cellar:
["rack.7"]
host     = "10.0.0.7"
platform = "debian-12"
port     = 22  # through the gate

# end of the file
"""


def test_a_new_board_is_added_at_the_end_and_the_rest_stays(config):
    (config / "boards.toml").write_text(BY_HAND)
    inventory.add(BoardEntry("nano", "10.0.0.9", "ubuntu-22.04"))
    text = (config / "boards.toml").read_text()
    assert text == BY_HAND + '\n[nano]\nhost = "10.0.0.9"\nplatform = "ubuntu-22.04"\n'


def test_a_board_added_again_keeps_its_comments_and_those_of_the_next(config):
    (config / "boards.toml").write_text(BY_HAND)
    inventory.add(BoardEntry("pi", "10.0.0.5", "raspberry-pi-5", user="ada"))
    assert (config / "boards.toml").read_text() == BY_HAND.replace(
        "host = 'pi.local'   # by mDNS", 'host = "10.0.0.5"   # by mDNS'
    ).replace('platform="raspberry-pi-5"\n', 'platform="raspberry-pi-5"\nuser = "ada"\n')


def test_a_value_that_a_board_no_longer_has_goes(config):
    (config / "boards.toml").write_text(BY_HAND)
    inventory.add(BoardEntry("rack.7", "10.0.0.7", "debian-12"))
    line = "port     = 22  # through the gate\n"
    assert (config / "boards.toml").read_text() == BY_HAND.replace(line, "")


def test_removing_a_board_takes_no_comment_of_another(config):
    (config / "boards.toml").write_text(BY_HAND)
    inventory.remove("pi")
    start, end = BY_HAND.index("[pi]"), BY_HAND.index("# key =")
    assert (config / "boards.toml").read_text() == BY_HAND[:start] + BY_HAND[end:]
    inventory.remove("rack.7")
    assert "# The rack in the cellar:\n# end of the file\n" in (config / "boards.toml").read_text()


@pytest.mark.parametrize(
    "text",
    [
        "# first\npi = { host = 'a', platform = 'b', port = 1 }\nnano.host = 'c'\n"
        "# second\nnano.platform = 'd'\n",
        "pi.host = 'a'\n# first\nnano.host = 'c'\npi.platform = 'b'\n# second\npi.port = 1\n"
        "nano.platform = 'd'",
    ],
)
def test_boards_written_inline_or_with_dotted_keys_are_edited_too(config, text):
    (config / "boards.toml").write_text(text)
    nano, pi = BoardEntry("nano", "c", "d"), BoardEntry("pi", "e", "b", user="f")
    inventory.add(pi)
    assert inventory.entries() == {"pi": pi, "nano": nano}
    inventory.remove("pi")
    assert inventory.entries() == {"nano": nano}
    assert "# first\n" in (config / "boards.toml").read_text()
    assert "# second\n" in (config / "boards.toml").read_text()


def test_line_ends_of_windows_stay(config):
    (config / "boards.toml").write_bytes(BY_HAND.replace("\n", "\r\n").encode())
    inventory.add(BoardEntry("pi", "10.0.0.5", "raspberry-pi-5", user="ada"))
    inventory.add(BoardEntry("nano", "10.0.0.9", "ubuntu-22.04"))
    content = (config / "boards.toml").read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n") == BY_HAND.count("\n") + 5


def test_a_file_that_is_a_link_stays_one(config):
    (config / "dotfiles").mkdir()
    (config / "dotfiles" / "boards.toml").write_text(BY_HAND)
    (config / "boards.toml").symlink_to("dotfiles/boards.toml")
    inventory.remove("pi")
    assert (config / "boards.toml").is_symlink()
    assert "[pi]" not in (config / "dotfiles" / "boards.toml").read_text()


def test_a_file_of_commit_6492e96_is_read_and_edited(config):
    """The file was written by that commit's `inventory.add`."""
    old = (Path(__file__).parent / "data" / "6492e96" / "boards.toml").read_text()
    (config / "boards.toml").write_text(old)
    boards = {
        "pi": BoardEntry(
            "pi", "pi.local", "raspberry-pi-5", user="pi", port=2222, key='~/.ssh/a "key"\\x'
        ),
        "rack.7": BoardEntry("rack.7", "10.0.0.7", "debian-12", jump="pi@10.0.0.1:22,gate"),
        "here": BoardEntry("here", "local", "ubuntu-22.04"),
        "lab_9": BoardEntry("lab_9", "fe80::1", "debian-12", user="jörg"),
    }
    assert inventory.entries() == boards
    inventory.add(BoardEntry("nano", "10.0.0.9", "debian-12", user="ada", port=22, jump="gate"))
    text = (config / "boards.toml").read_text()
    assert text.startswith(old)
    # The keys are those of that commit, so that it can read what this one writes.
    assert tomllib.loads(text)["nano"] == {
        "host": "10.0.0.9",
        "platform": "debian-12",
        "user": "ada",
        "port": 22,
        "jump": "gate",
    }
    inventory.remove("nano")
    assert inventory.entries() == boards


# -- mistakes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[pi\nhost = 1", "is not TOML.*line 1"),
        ("pi = 3\n", r"\[pi\] is 3; expected a table"),
        ('[pi]\nhost = "a"\nplatform = "b"\nprot = 1\n', r"\[pi\] has the unknown key 'prot'"),
        ('[pi]\nhost = "a"\nplatform = "b"\nname = "c"\n', r"\[pi\] has the unknown key 'name'"),
        (
            '[pi]\nhost = "a"\nplatform = "b"\nport = "22"\n',
            r"\[pi\]: port = '22'; expected a whole number\. Next: edit ",
        ),
        ('[pi]\nhost = "a"\nplatform = "b"\nport = true\n', r"\[pi\]: port = True"),
        ('[pi]\nhost = "a"\nplatform = "b"\nport = 22.0\n', r"\[pi\]: port = 22\.0"),
        ('[pi]\nhost = ["""a\nb"""]\nplatform = "b"\n', r"\[pi\]: host = .*; expected text"),
        ('[pi]\nhost = "a"\n', r"\[pi\] has no key 'platform'"),
        ('[pi]\nplatform = "a"\n', r"\[pi\] has no key 'host'"),
    ],
)
def test_a_mistake_in_the_file_is_named_in_one_line(config, text, named):
    (config / "boards.toml").write_text(text)
    with pytest.raises(InventoryError, match=named) as wrong:
        labkit.open_board("pi")
    assert str(config / "boards.toml") in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_file_that_is_no_text_is_named(config):
    (config / "boards.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InventoryError, match="is not TOML"):
        inventory.entries()
    with pytest.raises(InventoryError, match="is not TOML"):
        inventory.add(BoardEntry("pi", "10.0.0.1", "debian-12"))


def test_a_dir_in_the_files_place_is_named(config):
    (config / "boards.toml").mkdir()
    with pytest.raises(InventoryError, match="Is a directory"):
        inventory.entries()


def test_a_board_nobody_knows_is_unknown():
    with pytest.raises(BoardUnknown, match="no board 'nonesuch'.*labkit board list") as unknown:
        labkit.open_board("nonesuch")
    assert "\n" not in str(unknown.value)


def test_a_board_of_the_inventory_may_be_this_machine():
    inventory.add(BoardEntry("own", "local", "debian-12"))
    with labkit.open_board("own") as board:
        assert board.address == "this machine"
        assert board.platform == "debian-12"
