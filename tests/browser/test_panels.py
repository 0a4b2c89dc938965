"""Panels in JupyterLab, operated by clicks; their effect is read over another connection."""

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
    """The board, over another connection than the notebook's."""
    machine = VirtualMachine(NAME)
    with Board(NAME, machine.up(), platform="raspberry-pi-5") as board:
        yield board
    machine.down()


@pytest.fixture
def show(pi, new_notebook, open_notebook, page):
    """A function that runs one cell that ends in a panel, and returns the panel."""

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


def take_screenshot(panel, name):
    """Save an image of the panel in the directory LABKIT_SCREENSHOTS, where that is set."""
    if directory := os.environ.get("LABKIT_SCREENSHOTS"):
        panel.screenshot(path=f"{directory}/{name}.png")


def status(panel):
    return panel.get_by_role("status")


def test_a_governor_is_changed_by_clicks_read_back_over_ssh_and_undone(show, pi):
    before = policies(pi)[0]
    panel = show("panel = GovernorPanel(board)\npanel")
    governor = panel.get_by_label("governor")
    expect(governor).to_have_value(before.governor)
    governor.select_option("performance")
    click(panel, "Apply")
    expect(status(panel)).to_contain_text("governor performance", timeout=30_000)
    assert policies(pi)[0].governor == "performance"
    plot = panel.locator("img")
    expect(plot).to_have_attribute("alt", re.compile("processor 3: "), timeout=60_000)
    take_screenshot(panel, "governor")
    click(panel, "Undo")
    expect(status(panel)).to_contain_text("undone: governor", timeout=30_000)
    assert policies(pi)[0].governor == before.governor


def test_closing_the_governor_panel_undoes_its_changes_and_removes_it(show, pi):
    panel = show("panel = GovernorPanel(board)\npanel")
    panel.get_by_label("governor").select_option("performance")
    click(panel, "Apply")
    expect(status(panel)).to_contain_text("governor performance", timeout=30_000)
    click(panel, "Close")
    expect(panel).to_have_count(0, timeout=30_000)
    assert policies(pi)[0].governor == "schedutil"


def test_an_error_of_the_board_shows_in_the_panel_and_nowhere_else(show, pi):
    panel = show("panel = GovernorPanel(board)\npanel")
    expect(panel.get_by_label("governor")).to_be_visible()
    # From here on, every write to the file fails.
    file = "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor"
    pi.check("mount --bind /dev/full %s", file, sudo=True)
    try:
        panel.get_by_label("governor").select_option("performance")
        click(panel, "Apply")
        expect(status(panel)).to_contain_text("✗", timeout=30_000)
        expect(status(panel)).to_contain_text(NAME)
        expect(panel.page.locator(".jp-OutputArea-output[data-mime-type*=stderr]")).to_have_count(0)
    finally:
        pi.check("umount %s", file, sudo=True)


def test_a_setting_that_go_does_not_accept_is_an_error_before_anything_is_run(show):
    panel = show("panel = MemoryPanel(board, live_mib=8, garbage_mib=32)\npanel")
    panel.get_by_label("GOMEMLIMIT").fill("64M")
    panel.get_by_label("GOMEMLIMIT").press("Tab")
    click(panel, "Run")
    expect(status(panel)).to_contain_text("GOMEMLIMIT=64M")
    expect(status(panel)).to_contain_text("64MiB")


def test_runs_of_the_memory_panel_are_added_to_one_plot(show):
    panel = show("panel = MemoryPanel(board, live_mib=16, garbage_mib=128)\npanel")
    click(panel, "Run")
    plot = panel.locator("img")
    expect(plot).to_have_attribute("alt", re.compile("1. GOGC=100"), timeout=90_000)
    panel.get_by_label("GOMEMLIMIT").fill("24MiB")
    panel.get_by_label("GOMEMLIMIT").press("Tab")
    click(panel, "Run")
    second = re.compile("2. GOGC=100 GOMEMLIMIT=24MiB")
    expect(plot).to_have_attribute("alt", second, timeout=90_000)
    take_screenshot(panel, "memory")


def test_the_unit_panel_shows_the_unit_and_the_result_of_its_run(show):
    panel = show("panel = UnitPanel(board, live_mib=16, garbage_mib=64)\npanel")
    panel.get_by_label("affinity").select_option(["processor 1", "processor 2"])
    expect(panel.locator("pre")).to_contain_text("CPUAffinity=1 2")
    click(panel, "Run")
    expect(status(panel)).to_contain_text("success", timeout=90_000)
    take_screenshot(panel, "unit")
