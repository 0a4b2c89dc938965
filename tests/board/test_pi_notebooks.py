"""The notebooks that change settings, in batch on a virtual Raspberry Pi 5 as a user runs them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_notebooks_of_clocks_real_time_and_units_run_on_a_raspberry_pi(tmp_path):
    words = ["run", "2.4", "3.3", "4.3", "--platform", "raspberry-pi-5"]
    line = [Path(sys.executable).with_name("labkit"), *words, "--results", str(tmp_path)]
    run = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    ledgers = [path.read_text() for path in tmp_path.rglob("*.verdicts.jsonl")]
    verdicts = [json.loads(line) for text in ledgers for line in text.splitlines()]
    assert len({each["claim_id"] for each in verdicts}) == 40
    assert all(each["agrees"] for each in verdicts)
    tested = {each["claim_id"] for each in verdicts if each["outcome"] != "not testable here"}
    # The rest needs silicon: a chip's name, cores of two kinds, the document's own load.
    assert len(tested) >= 37
