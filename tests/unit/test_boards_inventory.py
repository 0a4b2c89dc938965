"""The user's own boards: noted, found, and a mistake in the file named in one line."""

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


def test_what_is_noted_is_found_again():
    pi = BoardEntry("pi", "pi.local", "raspberry-pi-5", user="pi", port=2222, key='~/a "key"\\x')
    tidy = BoardEntry("pi.2", "10.0.0.2", "debian-12", jump="pi@10.0.0.1:22,b")
    file = inventory.add(pi)
    inventory.add(tidy)
    assert inventory.entries() == {"pi": pi, "pi.2": tidy}
    assert [path.name for path in file.parent.iterdir()] == ["boards.toml"]


def test_a_board_noted_again_takes_the_place_of_the_first():
    inventory.add(BoardEntry("pi", "10.0.0.1", "debian-12", port=22))
    inventory.add(BoardEntry("pi", "10.0.0.2", "debian-12"))
    assert inventory.entries() == {"pi": BoardEntry("pi", "10.0.0.2", "debian-12")}


def test_a_forgotten_board_is_gone():
    inventory.add(BoardEntry("pi", "10.0.0.1", "debian-12"))
    inventory.remove("pi")
    assert inventory.entries() == {}
    with pytest.raises(BoardUnknown, match="'pi'"):
        inventory.remove("pi")


@pytest.mark.parametrize("name", ["", "a b", "-x", "a/b", "a@b", "ü", "a\nb"])
def test_a_name_that_would_be_trouble_is_not_taken(name):
    with pytest.raises(InventoryError, match="cannot name a board"):
        inventory.add(BoardEntry(name, "10.0.0.1", "debian-12"))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[pi\nhost = 1", "is not TOML.*line 1"),
        ("pi = 3\n", "'pi' is not a table"),
        ('[pi]\nhost = "a"\nplatform = "b"\nprot = 1\n', r"\[pi\] has the unknown key 'prot'"),
        ('[pi]\nhost = "a"\nplatform = "b"\nport = "22"\n', r"\[pi\] port = '22'; expected a int"),
        ('[pi]\nhost = "a"\nplatform = "b"\nport = true\n', r"\[pi\] port = True"),
        ('[pi]\nhost = ["""a\nb"""]\nplatform = "b"\n', r"\[pi\] host = "),
        ('[pi]\nhost = "a"\n', r"\[pi\] lacks 'platform'"),
        ('[pi]\nplatform = "a"\n', r"\[pi\] lacks 'host'"),
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


def test_a_dir_in_the_files_place_is_named(config):
    (config / "boards.toml").mkdir()
    with pytest.raises(InventoryError, match="Is a directory"):
        inventory.entries()


def test_a_board_nobody_knows_is_unknown():
    with pytest.raises(BoardUnknown, match="no board 'nonesuch'.*labkit board list") as unknown:
        labkit.open_board("nonesuch")
    assert "\n" not in str(unknown.value)


def test_a_board_of_the_users_own_may_be_this_machine():
    inventory.add(BoardEntry("mine", "local", "debian-12"))
    with labkit.open_board("mine") as board:
        assert board.address == "this machine"
        assert board.platform == "debian-12"
