"""A real JupyterLab from this environment, and a real Chromium that opens it."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect, sync_playwright

from labkit.virtual.qemu import free_port

# Debian's launcher only adds flags for a desktop, so the program itself comes first.
BROWSERS = ("/usr/lib/chromium/chromium", "chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=15_000)


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address, its token, and the directory of its files."""

    url: str
    token: str
    directory: Path

    def file_url(self, path):
        """The page that shows one file of the directory, in a workspace with nothing else."""
        return f"{self.url}/lab/tree/{path}?token={self.token}&reset"

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/api", timeout=1):
                return True
        except OSError:
            return False


@pytest.fixture(scope="session")
def lab(tmp_path_factory, eventually):
    """The JupyterLab of this environment, with no settings and no files but the tests' own."""
    home, directory = tmp_path_factory.mktemp("jupyter"), tmp_path_factory.mktemp("notebooks")
    port, token = free_port(), secrets.token_hex(8)
    lab = Lab(f"http://127.0.0.1:{port}", token, directory)
    with (home / "lab.log").open("w") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
                *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={directory}"),
                "--LabApp.extension_manager=readonly",
            ],
            env=os.environ | isolated_env(home),
            stdout=log,
            stderr=log,
        )
    try:
        eventually(lambda: process.poll() is not None or lab.is_ready(), within=30)
        assert process.poll() is None, (home / "lab.log").read_text()
        yield lab
    finally:
        process.terminate()
        process.wait(20)


def isolated_env(home):
    """Variables that keep Jupyter's files in *home*. Its news feed is switched off too."""
    directories = {name: str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    settings = home / "config/labconfig/page_config.json"
    settings.parent.mkdir(parents=True)
    news = "@jupyterlab/apputils-extension:announcements"
    settings.write_text(json.dumps({"disabledExtensions": {news: True}}))
    return {
        **{f"JUPYTER_{name}_DIR": directory for name, directory in directories.items()},
        "JUPYTER_PREFER_ENV_PATH": "1",
        "IPYTHONDIR": str(home / "ipython"),
    }


# One browser for each module: while Playwright runs, this thread has an event loop, and the
# tests of other directories must run without one.
@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser):
    """An empty page without history. An error in a page's script fails the test."""
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(error))
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def open_notebook(lab, page):
    """A function that opens a notebook of the lab's directory and waits for its kernel."""

    def open_(path):
        page.goto(lab.file_url(path))
        expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=30_000)
        return page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    return open_


@pytest.fixture
def new_notebook(lab, request):
    """A function that writes a notebook of code cells and returns its path."""

    def new(*sources):
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        path = re.sub(r"\W+", "-", request.node.name) + ".ipynb"
        nbformat.write(notebook, lab.directory / path)
        return path

    return new
