"""Writing files in one step."""

import threading

import pytest

from labkit.files import write_atomic


def test_a_failed_write_keeps_the_old_content_and_leaves_no_other_file(tmp_path):
    path = tmp_path / "file"
    write_atomic(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "new \udc80")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_sees_complete_content_only(tmp_path):
    path = tmp_path / "file"
    texts = {letter * 100_000 for letter in "ab"}
    write_atomic(path, "a" * 100_000)
    finished = threading.Event()

    def write():
        while not finished.is_set():
            for text in texts:
                write_atomic(path, text)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert all(path.read_text() in texts for _ in range(50))
    finally:
        finished.set()
        writer.join()
    assert list(tmp_path.iterdir()) == [path]
