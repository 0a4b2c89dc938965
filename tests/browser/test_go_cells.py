"""Cells that begin with %%go have the colours of Go, as a reader sees them in JupyterLab."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

import labkit

GO = """\
%%go -o bin ./cmd/*
package main

// hello
func main() {
	println("hello")
}"""
PYTHON = """\
import os

# hello
def package(func):
    return os.getcwd()"""


@pytest.fixture
def colour(page):
    """A function that returns the current theme's colour of a kind of token."""

    def colour(kind):
        script = "name => { const probe = document.body.appendChild(document.createElement('i'));"
        script += "probe.style.color = `var(${name})`; const { color } = getComputedStyle(probe);"
        script += "probe.remove(); return color; }"
        return page.evaluate(script, f"--jp-mirror-editor-{kind}-color")

    return colour


def token(cell, text):
    """The innermost element that holds just this token of the cell's source."""
    return cell.locator(".cm-line span").filter(has_text=re.compile(f"^{re.escape(text)}$")).last


def expect_language(cell, name):
    expect(cell.locator(".cm-content")).to_have_attribute("data-language", name)


def expect_languages(cells, *names):
    expect(cells).to_have_count(len(names))
    for cell, name in zip(cells.all(), names, strict=True):
        expect_language(cell, name)


def replace_source(page, cell, text):
    """Type a text into a cell in place of its source."""
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


def test_jupyterlab_lists_the_installed_extension_of_this_source_as_enabled():
    argv = [sys.executable, "-m", "jupyter", "labextension", "list"]
    run = subprocess.run(argv, capture_output=True, text=True, check=True)
    listing = re.sub(r"\x1b\[\d+m", "", run.stdout + run.stderr)
    assert f"labkit-go v{labkit.__version__} enabled OK (python, labkit)" in listing
    installed = Path(sys.prefix, "share/jupyter/labextensions/labkit-go/static/remoteEntry.js")
    source = Path(__file__).parents[2] / "labkit/labextension/static/remoteEntry.js"
    assert installed.read_text() == source.read_text(), "stale. Next: pip install -e ."


def test_a_go_cell_has_the_colours_of_go_and_a_python_cell_those_of_python(
    new_notebook, open_notebook, colour
):
    cells = open_notebook(new_notebook(PYTHON, GO)).locator(".jp-CodeCell")
    expect_languages(cells, "python", "go")
    python, go = cells.all()
    for word in ("package", "func"):
        expect(token(go, word)).to_have_css("color", colour("keyword"))
    expect(token(go, "// hello")).to_have_css("color", colour("comment"))
    expect(token(go, '"hello"')).to_have_css("color", colour("string"))
    expect(token(go, GO.splitlines()[0])).to_have_css("color", colour("meta"))
    for word in ("import", "def"):
        expect(token(python, word)).to_have_css("color", colour("keyword"))
    expect(token(python, "# hello")).to_have_css("color", colour("comment"))


def test_typing_the_magic_makes_a_cell_go_and_removing_it_makes_it_python_again(
    page, new_notebook, open_notebook, colour
):
    cell = open_notebook(new_notebook("")).locator(".jp-CodeCell")
    replace_source(page, cell, "%%g")
    expect_language(cell, "python")
    page.keyboard.type("o\nfunc f")
    expect_language(cell, "go")
    expect(token(cell, "func")).to_have_css("color", colour("keyword"))
    page.keyboard.press("Control+Home")
    page.keyboard.type("# ")
    expect_language(cell, "python")
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    expect_language(cell, "go")
    replace_source(page, cell, "%%gopher")
    expect_language(cell, "python")


def test_a_line_typed_in_a_go_cell_is_indented_with_a_tab_and_in_python_with_spaces(
    page, new_notebook, open_notebook
):
    cells = open_notebook(new_notebook("%%go", "")).locator(".jp-CodeCell")
    expect_languages(cells, "go", "python")
    go, python = cells.all()
    replace_source(page, go, "%%go\nfunc f() {\nx")
    expect(go.locator(".cm-line", has_text="x")).to_have_js_property("textContent", "\tx")
    replace_source(page, python, "def f():\nx")
    expect(python.locator(".cm-line", has_text="x")).to_have_js_property("textContent", "    x")


def test_a_go_cell_stays_one_when_it_is_copied_and_moved_and_the_kernel_restarted(
    page, new_notebook, open_notebook
):
    cells = open_notebook(new_notebook(GO, PYTHON)).locator(".jp-CodeCell")
    cells.first.locator(".cm-content").click()
    for key in ("Escape", "c", "v", "Control+Shift+ArrowDown"):
        page.keyboard.press(key)
    expect_languages(cells, "go", "python", "go")
    for key in ("0", "0"):
        page.keyboard.press(key)
    with page.expect_websocket():
        page.locator(".jp-Dialog .jp-mod-accept").click()
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle")
    expect_languages(cells, "go", "python", "go")


def test_a_go_cell_far_down_a_long_notebook_is_one_when_it_is_scrolled_to(
    new_notebook, open_notebook
):
    notebook = open_notebook(new_notebook(*[PYTHON] * 60, GO))
    notebook.locator(".jp-WindowedPanel-outer").evaluate("it => it.scrollTop = it.scrollHeight")
    last = notebook.locator(".jp-CodeCell").last
    expect(last).to_contain_text("println")
    expect_language(last, "go")


def test_the_python_of_a_notebook_with_go_cells_is_completed_by_the_kernel(
    page, new_notebook, open_notebook, eventually
):
    # Jedi's first completion takes longer than JupyterLab waits.
    imports = "%config IPCompleter.use_jedi = False\nimport os"
    cells = open_notebook(new_notebook(imports, "", GO)).locator(".jp-CodeCell")
    cells.nth(0).locator(".cm-content").press("Shift+Enter")
    expect(cells.nth(0)).to_contain_text("[1]:")
    replace_source(page, cells.nth(1), "os.getcw")
    completion = page.locator(".jp-Completer-item", has_text="getcwdb")

    def is_offered():
        page.keyboard.press("Tab")
        page.wait_for_timeout(500)
        return completion.is_visible()

    eventually(is_offered)
