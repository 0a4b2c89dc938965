"""Parameters are checked before anything runs."""

import nbformat.v4 as v4
import pytest

from labkit.errors import GuideError
from labkit.guide import Notebook, parse, read_parameters
from labkit.guide.parameters import bind

CELL = """\
platform = "debian-12"
board_name = ""  # empty: a virtual one
seconds: float = 5.0
rounds = 3
quick = False
sizes = [1, 2]
anything = None
here = len("x")
"""


@pytest.fixture
def notebook(tmp_path):
    return write(tmp_path, "one", CELL)


def write(directory, name, source, tag="parameters"):
    path = directory / f"{name}.ipynb"
    cell = v4.new_code_cell(source, metadata={"tags": [tag]})
    path.write_text(v4.writes_json(v4.new_notebook(cells=[v4.new_markdown_cell("# T"), cell])))
    return Notebook(path, name)


def test_parameters_and_defaults(notebook):
    assert read_parameters(notebook.path) == {
        "platform": "debian-12",
        "board_name": "",
        "seconds": 5.0,
        "rounds": 3,
        "quick": False,
        "sizes": [1, 2],
        "anything": None,
        "here": None,
    }


def test_a_notebook_without_the_cell_has_none(tmp_path):
    assert read_parameters(write(tmp_path, "bare", "x = 1", tag="other").path) == {}


def test_platform_and_board_come_first(notebook):
    values = bind([notebook], "debian-12", "pi", {})
    assert values == {notebook: {"platform": "debian-12", "board_name": "pi"}}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("seconds", "2.5", 2.5),
        ("seconds", "2", 2.0),
        ("rounds", "7", 7),
        ("rounds", 7, 7),
        ("quick", "True", True),
        ("sizes", "[4]", [4]),
        ("anything", "text", "text"),
        ("anything", 4, 4),
        ("here", "5", "5"),
    ],
)
def test_text_is_read_as_the_type_of_the_default(notebook, name, text, value):
    values = bind([notebook], "debian-12", "", {name: text})[notebook]
    assert values[name] == value
    assert type(values[name]) is type(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rounds", "many"),
        ("rounds", "2.5"),
        ("rounds", True),
        ("quick", "1"),
        ("sizes", "3"),
        ("seconds", "soon"),
    ],
)
def test_a_value_that_does_not_fit(notebook, name, value):
    with pytest.raises(GuideError, match=f"{name}=.* does not fit one; expected a value of type"):
        bind([notebook], "debian-12", "", {name: value})


def test_an_unknown_parameter_names_the_known(notebook):
    with pytest.raises(GuideError, match=r"has a parameter 'secnds'.*seconds"):
        bind([notebook], "debian-12", "", {"secnds": "5"})


def test_one_notebook_that_has_it_is_enough(tmp_path, notebook):
    other = write(tmp_path, "two", 'platform = ""')
    values = bind([notebook, other], "debian-12", "", {"rounds": "1"})
    assert values[notebook]["rounds"] == 1
    assert values[other] == {"platform": "debian-12"}


@pytest.mark.parametrize("name", ["platform", "board_name"])
def test_the_options_are_not_parameters(notebook, name):
    with pytest.raises(GuideError, match=r"Next: use --(platform|board)"):
        bind([notebook], "debian-12", "", {name: "x"})


def test_a_notebook_that_would_ignore_the_platform(tmp_path):
    with pytest.raises(GuideError, match="no parameter 'platform'"):
        bind([write(tmp_path, "bare", "x = 1")], "debian-12", "", {})


def test_a_notebook_that_would_ignore_the_board(tmp_path):
    other = write(tmp_path, "two", 'platform = ""')
    with pytest.raises(GuideError, match="no parameter 'board_name'"):
        bind([other], "debian-12", "pi", {})


def test_a_parameters_cell_that_is_not_python(tmp_path):
    with pytest.raises(GuideError, match="is not Python"):
        read_parameters(write(tmp_path, "magic", "%time x = 1").path)


@pytest.mark.parametrize("text", ["", "not json", "[1]", '{"cells": 1}', "{}"])
def test_a_file_that_is_no_notebook(tmp_path, text):
    path = tmp_path / "broken.ipynb"
    path.write_text(text)
    with pytest.raises(GuideError, match="cannot be read"):
        read_parameters(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(GuideError, match="cannot be read"):
        read_parameters(tmp_path / "none.ipynb")


def test_parameters_from_the_command_line():
    assert parse(["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}


@pytest.mark.parametrize("argument", ["a", "=1", "a b=1", ""])
def test_an_argument_that_is_not_a_parameter(argument):
    with pytest.raises(GuideError, match="expected NAME=VALUE"):
        parse([argument])
