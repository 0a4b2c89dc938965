"""The notebooks that change settings, run once on a virtual Raspberry Pi 5 as a user runs them.

`make test` does not run them again with nbval: the outputs that nbval would compare are compared
here, from this run.
"""

import copy
import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbval.plugin import coalesce_streams, transform_streams_for_comparison

from labkit.guide.refresh_outputs import COMPARED, PLATFORMS

ROOT = Path(__file__).parents[2]
NOTEBOOKS = [name for name, platform in PLATFORMS.items() if platform == "raspberry-pi-5"]
# These belong to the display and not to the result; nbval ignores them too.
IGNORED = ("execution_count", "metadata", "output_type", "name")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The results directory of one run of the three notebooks."""
    directory = tmp_path_factory.mktemp("results")
    sections = [Path(name).name.partition("-")[0] for name in NOTEBOOKS]
    argv = [Path(sys.executable).with_name("labkit"), "run", *sections]
    argv += ["--platform", "raspberry-pi-5", "--results", directory]
    run = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return directory / "raspberry-pi-5"


def test_every_claim_is_judged_and_no_verdict_contradicts_the_table(results):
    texts = [path.read_text() for path in results.rglob("*.verdicts.jsonl")]
    verdicts = [json.loads(line) for text in texts for line in text.splitlines()]
    assert len({verdict["claim_id"] for verdict in verdicts}) == 40
    assert all(verdict["agrees"] for verdict in verdicts)
    tested = {
        verdict["claim_id"] for verdict in verdicts if verdict["outcome"] != "not testable here"
    }
    # The others need real hardware: a chip's name, two kinds of core, the document's own load.
    assert len(tested) >= 37


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_outputs_that_are_compared_are_those_in_the_repository(results, name):
    committed = compared_cells(ROOT / "notebooks" / f"{name}.ipynb")
    executed = compared_cells(results / f"{name}.ipynb")
    assert [cell.source for cell in executed] == [cell.source for cell in committed]
    for ours, theirs in zip(executed, committed, strict=True):
        assert comparable(ours.outputs) == comparable(theirs.outputs), ours.source
    assert committed


def compared_cells(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if COMPARED in cell.metadata.get("tags", [])]


def comparable(outputs):
    """The outputs as nbval compares them: streams joined, display data by their type."""
    return [
        {key: value for key, value in output.items() if key not in IGNORED}
        for output in transform_streams_for_comparison(coalesce_streams(copy.deepcopy(outputs)))
    ]
