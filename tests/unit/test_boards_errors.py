"""The errors: one tree, and one line each, whatever went wrong."""

import inspect

import pytest

from labkit import errors
from labkit.errors import CommandFailed, CommandTimeout, LabError
from labkit.result import Result

ALL = [getattr(errors, name) for name in errors.__all__]


def test_every_error_is_exported_and_drawn_in_the_tree():
    defined = {name for name, kind in vars(errors).items() if inspect.isclass(kind) and kind in ALL}
    assert sorted(errors.__all__) == sorted(defined)
    drawn = errors.__doc__
    for kind in ALL:
        assert kind.__name__ in drawn
        assert issubclass(kind, LabError)
        assert kind.__doc__


def test_an_error_says_what_was_found_what_was_expected_and_what_to_type():
    line = str(LabError("found this", expected="that", hint="labkit do"))
    assert line == "found this; expected that. Next: labkit do"
    assert str(LabError("found this")) == "found this"


def test_an_error_is_one_line_even_where_what_it_quotes_is_not():
    assert "\n" not in str(LabError("found\nthis\r\n", expected="a\nb", hint="c\nd"))


@pytest.mark.parametrize(
    ("stdout", "stderr", "last"),
    [("out\n", "one\ntwo\n\n", "two"), ("a\nb\n", "", "b"), ("", " \n", "it printed nothing")],
)
def test_a_failed_command_quotes_its_last_words(stdout, stderr, last):
    failed = CommandFailed("pi", Result("set -e\nfalse", 1, stdout, stderr, 0.1))
    assert str(failed) == f"pi: `set -e false` ended with status 1: {last}"


def test_a_command_out_of_time_says_so_in_one_line():
    late = CommandTimeout("pi", Result("sleep 9\nsleep 9", None, "", "", 2.5), 2.5)
    assert "ran past 2.5 s" in str(late)
    assert "\n" not in str(late)


def test_a_notebook_shows_the_line_and_no_traceback():
    assert LabError("found")._render_traceback_() == ["LabError: found"]
