"""The form that every notebook of the guide has."""

import ast
import re
import subprocess

import pytest

from labkit import golang
from labkit.claims.coverage import calls
from labkit.claims.verdict import OUTCOMES
from labkit.guide import find
from labkit.guide.refresh_outputs import COMPARED

nbformat = pytest.importorskip("nbformat")
NOTEBOOKS = find()

RETIRED_KEYWORDS = {"holds", "partly", "hear", "kept", "told", "anyway", "lenient", "lasting"}
"""Keyword arguments of labkit that got another name (see ``renames.md``)."""


@pytest.fixture(params=NOTEBOOKS, ids=[notebook.name for notebook in NOTEBOOKS])
def path(request):
    return request.param.path


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


@pytest.fixture
def cells(notebook):
    return notebook.cells


def code(cells):
    return [cell for cell in cells if cell.cell_type == "code"]


def is_go(cell):
    return cell.cell_type == "code" and cell.source.startswith("%%go")


def python(cells):
    """The syntax trees of the Python cells. A cell that is not Python is an error."""
    for cell in code(cells):
        if not is_go(cell):
            yield ast.parse(cell.source.removeprefix("%load_ext labkit\n"))


def test_it_begins_with_a_title_what_you_will_do_and_how_long_it_takes(cells):
    first = cells[0].source
    assert first.startswith("# ")
    assert "**You will**" in first
    assert "**Time:**" in first


def test_its_parameters_are_the_platform_and_the_board(cells):
    tagged = [cell for cell in code(cells) if "parameters" in cell.metadata.get("tags", [])]
    assert [cell.source for cell in tagged] == ['platform = "debian-12"\nboard_name = ""']


def test_only_the_outputs_that_are_compared_are_kept(cells):
    for cell in code(cells):
        compared = COMPARED in cell.metadata.get("tags", [])
        assert bool(cell.outputs) == compared, cell.source


def test_it_keeps_nothing_of_the_machine_it_was_run_on(notebook):
    assert set(notebook.metadata) == {"kernelspec"}


def test_its_code_is_plain_python_with_no_magic_and_no_trailing_semicolon(cells):
    assert list(python(cells))
    for cell in code(cells):
        if not is_go(cell):
            assert not cell.source.rstrip().endswith(";")


def test_its_verdicts_name_an_outcome_in_the_words_of_the_claims(path):
    """An outcome is a word, or an expression that chooses one: the reader sees which."""
    for where, call in calls(path):
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        assert not keywords.keys() & {"holds", "fails", "partly"}, where
        assert set(outcomes(keywords["outcome"])) <= OUTCOMES.keys(), where


def outcomes(expression):
    """The words an expression can give: both branches of a conditional, else the value itself."""
    if isinstance(expression, ast.IfExp):
        return [*outcomes(expression.body), *outcomes(expression.orelse)]
    return [ast.literal_eval(expression)]


def test_it_uses_no_retired_keyword(cells):
    for tree in python(cells):
        keywords = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
        assert not keywords & RETIRED_KEYWORDS


def test_its_go_is_written_as_gofmt_writes_it(cells):
    gofmt = golang.toolchain().root / "bin" / "gofmt"
    for cell in filter(is_go, cells):
        program = cell.source.partition("\n")[2] + "\n"
        done = subprocess.run([gofmt], input=program, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        assert done.stdout == program


def test_a_text_cell_is_short_enough_to_be_read(cells):
    for cell in cells[1:]:
        if cell.cell_type == "markdown":
            assert len(cell.source.split()) <= 190, cell.source


def test_it_ends_by_saying_what_was_changed_on_the_board(cells):
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert "**What was changed on the board:**" in texts[-1]


RAW_WRITE = re.compile(r"\b(tee|insmod|rmmod|modprobe(?! --dry-run)|sysctl -w)\b|> */(sys|proc)/")
"""A command that changes the kernel's state."""


def raw_writes(trees):
    """The calls that write to a board as root, outside a change and not on a temporary board."""
    texts = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                names = (target.id for target in node.targets if isinstance(target, ast.Name))
                texts |= dict.fromkeys(names, strings(node.value))
        guarded = {
            inner
            for node in ast.walk(tree)
            if isinstance(node, ast.With) and any(map(undoes, node.items))
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and runs_as_root(node) and node not in guarded:
                names = [inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)]
                text = "\n".join([strings(node), *(texts.get(name, "") for name in names)])
                if RAW_WRITE.search(text) or ast.unparse(node.func).endswith(".write"):
                    yield ast.unparse(node)


def strings(tree):
    return "\n".join(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def runs_as_root(call):
    return any(
        keyword.arg == "sudo" and ast.unparse(keyword.value) == "True" for keyword in call.keywords
    )


def undoes(item):
    return ast.unparse(item.context_expr).startswith(("tuning.", "temporary_board("))


def test_a_cell_writes_to_a_board_only_in_a_change_or_on_a_temporary_board(cells):
    assert list(raw_writes(python(cells))) == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("board.run('echo 1 | tee %s', path, sudo=True)", 1),
        ("line = 'insmod /tmp/x.ko'\nboard.check(line, sudo=True)", 1),
        ("board.run(f'echo 1 >/proc/sys/{name}', sudo=True)", 1),
        ("board.write(path, '1', sudo=True)", 1),
        ("with open(path) as file:\n    board.run('modprobe dummy', sudo=True)", 1),
        ("with tuning.Limits(board, max_khz=1):\n    board.run('tee %s', path, sudo=True)", 0),
        ("with temporary_board('x') as other:\n    other.run('insmod x', sudo=True)", 0),
        ("board.run('modprobe --dry-run dummy; cat /proc/modules 2>&1', sudo=True)", 0),
        ("board.run('echo 1 | tee /tmp/file')", 0),
    ],
)
def test_a_write_outside_a_change_is_found(source, count):
    assert len(list(raw_writes([ast.parse(source)]))) == count
