"""Holding table and notebooks together, tried on small notebooks."""

from pathlib import Path

import nbformat
import pytest

from labkit.claims import section
from labkit.claims.coverage import judged_ids, missing, notebooks_of, sections_of, unexpected
from labkit.errors import ClaimError


def _notebook(path: Path, *cells: str, text: str = "# A title") -> Path:
    """A notebook with a text cell and these code cells."""
    v4 = nbformat.v4
    code = [v4.new_code_cell(cell) for cell in cells]
    book = v4.new_notebook(cells=[v4.new_markdown_cell(text), *code])
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, path)
    return path


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("2.2-kernel-and-system.ipynb", ("2.2",)),
        ("1.0-ports.ipynb", ("1.0", "0")),
        ("0-title.ipynb", ("0",)),
        ("2.2.ipynb", ("2.2",)),
        ("00-start-here.ipynb", ()),
        ("9.9-none.ipynb", ()),
        ("2.22-none.ipynb", ()),
        ("2-environment.ipynb", ()),
        ("notes.ipynb", ()),
    ],
)
def test_a_name_says_the_sections(name, keys):
    assert sections_of(Path("notebooks/02-environment") / name) == keys


def test_ids_are_read_from_code(tmp_path):
    book = _notebook(
        tmp_path / "2.2-x.ipynb",
        'claims.judge("c2.2-01", board, holds=True, evidence="x")',
        'from labkit.claims import cite\ncite(claim_id="c2.2-02", source="s", outcome="fails")',
        '%load_ext labkit\nif x:\n    v = labkit.claims.judge(\n        "c2.2-03", board)\n'
        '# judge("c2.2-04", board)\nt = \'judge("c2.2-05", board)\'',
        '%%go\nclaims.judge("c2.2-06", board)',
        "await board.prejudge('c2.2-07')",
        text='claims.judge("c2.2-08", board)',
    )
    assert judged_ids(book) == {"c2.2-01", "c2.2-02", "c2.2-03"}


def test_what_is_missing(tmp_path):
    first, *rest = [claim.id for claim in section("0")]
    one = _notebook(tmp_path / "0-a.ipynb", f'claims.judge("{first}", board)')
    two = _notebook(tmp_path / "0-b.ipynb", *[f'claims.cite("{claim_id}")' for claim_id in rest])
    assert missing("0", [one]) == rest
    assert missing("0", [one, two]) == []
    assert missing("0", []) == [first, *rest]


def test_strays(tmp_path):
    calls = [f'claims.judge("{claim_id}", b)' for claim_id in ("c2.1-01", "c2.2-01", "c2.2-99")]
    assert unexpected(_notebook(tmp_path / "2.2-x.ipynb", *calls)) == [
        "c2.1-01 belongs to section 2.1",
        "c2.2-99 is not in the table",
    ]
    start = _notebook(tmp_path / "00-start-here.ipynb", 'claims.judge("c0-01", b)')
    assert unexpected(start) == ["c0-01 belongs to section 0"]
    assert unexpected(_notebook(tmp_path / "00-start-here.ipynb", "print(1)")) == []


@pytest.mark.parametrize("call", ["judge(claim_id, board)", "judge(7)", "judge(*a)", "judge(**a)"])
def test_an_id_must_be_plain(tmp_path, call):
    book = _notebook(tmp_path / "2.2-x.ipynb", "x = 1", f"claims.{call}")
    with pytest.raises(ClaimError, match=r"2\.2-x\.ipynb, cell 3 judges claims\.judge"):
        judged_ids(book)


def test_a_broken_cell_and_a_broken_file_are_named(tmp_path):
    book = _notebook(tmp_path / "2.2-x.ipynb", "def (:")
    with pytest.raises(ClaimError, match=r"2\.2-x\.ipynb, cell 2 is not Python"):
        judged_ids(book)
    book.write_text("{")
    with pytest.raises(ClaimError, match="cannot be read; expected a notebook"):
        judged_ids(book)


def test_jupyters_copies_are_left_out(tmp_path):
    book = _notebook(tmp_path / "02" / "2.2-x.ipynb")
    _notebook(tmp_path / "02" / ".ipynb_checkpoints" / "2.2-x-checkpoint.ipynb")
    assert notebooks_of(tmp_path) == [book]
    assert notebooks_of(tmp_path / "nowhere") == []
