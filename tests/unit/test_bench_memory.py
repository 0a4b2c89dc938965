"""The allocation program: its source, its sizes, and its output."""

import subprocess

import pytest

from labkit import golang
from labkit.bench import allocate, source
from labkit.bench.memory import _parse_heap
from labkit.errors import BenchError


def test_the_allocation_program_is_formatted_and_sound():
    gofmt = golang.toolchain().root / "bin" / "gofmt"
    run = subprocess.run([gofmt, "-d"], input=source(), capture_output=True, text=True, check=True)
    assert run.stdout == ""
    assert golang.vet(source()) == []


@pytest.mark.parametrize(
    "sizes", [{"live_mib": -1}, {"live_mib": 4097}, {"garbage_mib": -1}, {"garbage_mib": 65537}]
)
def test_a_size_out_of_range_is_refused_before_the_board_is_used(sizes):
    with pytest.raises(BenchError, match="expected 0 to 4096 MiB live, 0 to 65536 MiB garbage"):
        allocate(None, **sizes)


def test_the_output_becomes_seconds_and_mib_without_its_incomplete_last_line():
    heap = _parse_heap("0 0 7 0\n1500 64 71 3\n1550 65\n")
    assert heap.to_dict("list") == {
        "seconds": [0.0, 1.5],
        "heap_mib": [0.0, 64.0],
        "system_mib": [7.0, 71.0],
        "collections": [0.0, 3.0],
    }


@pytest.mark.parametrize("output", ["", "fatal error: out of memory\n"])
def test_an_output_without_numbers_becomes_an_empty_frame(output):
    assert _parse_heap(output).empty
