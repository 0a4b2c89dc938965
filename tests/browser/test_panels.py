"""Panels turned by clicks in JupyterLab, and what the board says of it over a way of its own."""

import os
import re

import pytest
from playwright.sync_api import expect

from labkit.boards import Board
from labkit.tuning import policies
from labkit.virtual import VirtualMachine

NAME = "raspberry-pi-5@panels"
OPEN = f"import labkit\nfrom labkit.widgets import *\nboard = labkit.open_board({NAME!r})\n"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def pi():
    """The board by another session than the notebook's."""
    machine = VirtualMachine(NAME)
    with Board(NAME, machine.up(), platform="raspberry-pi-5") as board:
        yield board
    machine.down()


@pytest.fixture
def show(pi, new_notebook, open_notebook, page):
    """A function that runs one cell which ends in a panel, and gives the panel."""

    def show(source):
        notebook = open_notebook(new_notebook(OPEN + source))
        notebook.locator(".cm-content").first.click()
        page.keyboard.press("Control+Enter")
        panel = notebook.locator(".labkit-panel")
        expect(panel).to_be_visible(timeout=60_000)
        return panel

    return show


def click(panel, name):
    panel.get_by_role("button", name=name, exact=True).click()


def look(panel, name):
    """Leave a picture of the panel for a person, where LABKIT_SCREENSHOTS names a folder."""
    if directory := os.environ.get("LABKIT_SCREENSHOTS"):
        panel.screenshot(path=f"{directory}/{name}.png")


def answer(panel):
    return panel.get_by_role("status")


def test_a_governor_is_changed_by_clicks_read_back_over_ssh_and_undone(show, pi):
    before = policies(pi)[0]
    panel = show("panel = GovernorPanel(board)\npanel")
    governor = panel.get_by_label("governor")
    expect(governor).to_have_value(before.governor)
    governor.select_option("performance")
    click(panel, "Apply")
    expect(answer(panel)).to_contain_text("governor performance", timeout=30_000)
    assert policies(pi)[0].governor == "performance"
    picture = panel.locator("img")
    expect(picture).to_have_attribute("alt", re.compile("processor 3: "), timeout=60_000)
    look(panel, "governor")
    click(panel, "Undo")
    expect(answer(panel)).to_contain_text("undone: governor", timeout=30_000)
    assert policies(pi)[0] == before or policies(pi)[0].governor == before.governor


def test_closing_the_governor_panel_undoes_and_stops_looking(show, pi):
    panel = show("panel = GovernorPanel(board)\npanel")
    panel.get_by_label("governor").select_option("performance")
    click(panel, "Apply")
    expect(answer(panel)).to_contain_text("governor performance", timeout=30_000)
    click(panel, "Close")
    expect(panel).to_have_count(0, timeout=30_000)
    assert policies(pi)[0].governor == "schedutil"


def test_an_error_of_the_board_shows_in_the_panel_and_nowhere_else(show, pi):
    panel = show("panel = GovernorPanel(board)\npanel")
    expect(panel.get_by_label("governor")).to_be_visible()
    # The board loses what the panel offers: nobody may write to the file any more.
    file = "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor"
    pi.check("mount --bind /dev/full %s", file, sudo=True)
    try:
        panel.get_by_label("governor").select_option("performance")
        click(panel, "Apply")
        expect(answer(panel)).to_contain_text("✗", timeout=30_000)
        expect(answer(panel)).to_contain_text(NAME)
        expect(panel.page.locator(".jp-OutputArea-output[data-mime-type*=stderr]")).to_have_count(0)
    finally:
        pi.check("umount %s", file, sudo=True)


def test_a_go_setting_that_go_dies_of_is_said_before_anything_is_run(show):
    panel = show("panel = MemoryPanel(board, hold=8, waste=32)\npanel")
    panel.get_by_label("GOMEMLIMIT").fill("64M")
    panel.get_by_label("GOMEMLIMIT").press("Tab")
    click(panel, "Run")
    expect(answer(panel)).to_contain_text("GOMEMLIMIT=64M")
    expect(answer(panel)).to_contain_text("64MiB")


def test_runs_of_the_memory_panel_are_added_to_one_plot(show):
    panel = show("panel = MemoryPanel(board, hold=16, waste=128)\npanel")
    click(panel, "Run")
    picture = panel.locator("img")
    expect(picture).to_have_attribute("alt", re.compile("1. GOGC=100"), timeout=90_000)
    panel.get_by_label("GOMEMLIMIT").fill("24MiB")
    panel.get_by_label("GOMEMLIMIT").press("Tab")
    click(panel, "Run")
    second = re.compile("2. GOGC=100 GOMEMLIMIT=24MiB")
    expect(picture).to_have_attribute("alt", second, timeout=90_000)
    look(panel, "memory")


def test_the_unit_panel_writes_the_unit_and_says_what_the_board_cannot_do(show):
    panel = show("panel = UnitPanel(board, hold=16, waste=64)\npanel")
    panel.get_by_label("affinity").select_option(["processor 1", "processor 2"])
    expect(panel.locator("pre")).to_contain_text("CPUAffinity=1 2")
    click(panel, "Run")
    expect(answer(panel)).to_contain_text("success", timeout=90_000)
    look(panel, "unit")
