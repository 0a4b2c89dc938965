"""The errors: one tree, and one line each."""

import inspect
import re

import pytest

from labkit import errors
from labkit.errors import BuildFailed, CommandFailed, CommandTimeout, LabError
from labkit.result import Result


def test_every_error_is_exported_documented_and_drawn_in_the_tree():
    classes = {name: value for name, value in vars(errors).items() if inspect.isclass(value)}
    assert sorted(errors.__all__) == sorted(classes)
    for error in classes.values():
        assert issubclass(error, LabError)
        assert error.__doc__


def test_the_drawing_shows_every_error_below_its_base_class_and_no_other():
    drawn = re.findall(r"^    ([│ ├└─]*)([A-Z]\w+)(?=\s|$)", errors.__doc__, re.MULTILINE)
    bases = {0: "Exception"}
    for indent, name in drawn:
        assert getattr(errors, name).__base__.__name__ == bases[len(indent)]
        bases[len(indent) + 4] = name
    assert sorted(name for _, name in drawn) == sorted(errors.__all__)


def test_an_error_is_what_was_found_what_was_expected_and_what_to_type():
    line = str(LabError("found this", expected="that", hint="labkit do"))
    assert line == "found this; expected that. Next: labkit do"
    assert str(LabError("found this")) == "found this"


def test_an_error_is_one_line_even_where_what_it_quotes_is_not():
    assert "\n" not in str(LabError("found\nthis\r\n", expected="a\nb", hint="c\nd"))


@pytest.mark.parametrize(
    ("stdout", "stderr", "last"),
    [("out\n", "one\ntwo\n\n", "two"), ("a\nb\n", "", "b"), ("", " \n", "it printed nothing")],
)
def test_a_failed_command_quotes_its_last_line(stdout, stderr, last):
    failed = CommandFailed("pi", Result("set -e\nfalse", 1, stdout, stderr, 0.1))
    assert str(failed) == f"pi: `set -e false` ended with status 1: {last}"


def test_a_command_past_its_timeout_is_one_line():
    late = CommandTimeout("pi", Result("sleep 9\nsleep 9", None, "", "", 2.5), 2.5)
    assert "ran past 2.5 s" in str(late)
    assert "\n" not in str(late)


def test_a_notebook_shows_the_line_and_no_traceback():
    assert LabError("found")._render_traceback_() == ["LabError: found"]


def test_a_notebook_shows_the_compilers_own_lines():
    failed = BuildFailed("it does not compile", output="a.go:1: x\na.go:2: y\n", hint="go doc")
    assert failed._render_traceback_() == ["BuildFailed:", "a.go:1: x", "a.go:2: y", "Next: go doc"]
