"""Finding the guide's notebooks, and selecting them by name."""

import pytest

from labkit.errors import GuideError
from labkit.guide import find, notebooks_dir, resolve

NAMES = (
    "00-start-here",
    "01-atomics/1.1-barriers",
    "01-atomics/1.2-counters",
    "02-environment/2.1-boards",
    "02-environment/2.10-last",
    "02-environment/.ipynb_checkpoints/2.1-boards-checkpoint",
)


@pytest.fixture(autouse=True)
def guide(tmp_path, monkeypatch):
    for name in NAMES:
        path = tmp_path / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(notebooks):
    return [notebook.name for notebook in notebooks]


def test_all_are_found_by_path_without_checkpoints():
    assert names(find()) == list(NAMES[:-1])
    assert names(resolve([])) == list(NAMES[:-1])


@pytest.mark.parametrize("below", ["notebooks", "notebooks/01-atomics"])
def test_the_guide_is_found_from_below(guide, monkeypatch, below):
    monkeypatch.chdir(guide / below)
    assert notebooks_dir() == guide / "notebooks"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("1.1", ["01-atomics/1.1-barriers"]),
        ("2.1", ["02-environment/2.1-boards"]),
        ("2", ["02-environment/2.1-boards", "02-environment/2.10-last"]),
        ("02", ["02-environment/2.1-boards", "02-environment/2.10-last"]),
        ("00-start-here", ["00-start-here"]),
        ("1.1-barriers.ipynb", ["01-atomics/1.1-barriers"]),
        ("01-atomics/1.1-barriers", ["01-atomics/1.1-barriers"]),
        ("notebooks/01-atomics/1.1-barriers.ipynb", ["01-atomics/1.1-barriers"]),
        ("notebooks/01-atomics", ["01-atomics/1.1-barriers", "01-atomics/1.2-counters"]),
    ],
)
def test_what_a_person_types(name, expected):
    assert names(resolve([name])) == expected


def test_each_notebook_is_selected_once_in_the_order_of_the_names():
    assert names(resolve(["2.1", "1", "2.1"])) == [NAMES[3], NAMES[1], NAMES[2]]


def test_a_notebook_from_elsewhere_goes_by_its_files_name(tmp_path_factory):
    path = tmp_path_factory.mktemp("elsewhere") / "other.ipynb"
    path.write_text("{}")
    assert names(resolve([str(path)])) == ["other"]


@pytest.mark.parametrize(
    ("name", "similar"),
    [("1.3", "1.1"), ("00-start-her", "00-start-here"), ("1.1-bariers", "1.1-barriers")],
)
def test_a_wrong_name_gets_similar_ones(name, similar):
    with pytest.raises(GuideError, match=f"no notebook '{name}'; expected .*{similar}"):
        resolve([name])


@pytest.mark.parametrize("name", ["", "zzzzzzzz", "9.9/../x"])
def test_a_name_like_none_of_them_says_what_to_type(name):
    with pytest.raises(GuideError, match=r"a section such as 2\.2"):
        resolve([name])


def test_a_file_of_another_kind_is_not_a_notebook(guide):
    (guide / "notes.txt").write_text("")
    with pytest.raises(GuideError, match=r"notes\.txt is not a notebook"):
        resolve(["notes.txt"])


def test_an_empty_dir(guide):
    (guide / "empty").mkdir()
    with pytest.raises(GuideError, match="no notebook in"):
        resolve(["empty"])


def test_no_guide_at_all(tmp_path_factory, monkeypatch):
    bare = tmp_path_factory.mktemp("bare")
    monkeypatch.chdir(bare)
    monkeypatch.setattr("labkit.__file__", str(bare / "site" / "labkit" / "__init__.py"))
    with pytest.raises(GuideError, match="no guide in"):
        find()
