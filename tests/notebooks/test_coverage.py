"""The claims table and the notebooks against each other.

A section whose notebook is not written yet is skipped, so ``pytest -rs`` lists them all.
"""

from pathlib import Path

import pytest

from labkit.claims import section, sections
from labkit.claims.coverage import missing, notebooks_of, sections_of, unexpected

DIRECTORY = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = notebooks_of(DIRECTORY)


@pytest.mark.parametrize("key", sections())
def test_every_claim_of_a_section_is_judged(key):
    its_own = [notebook for notebook in NOTEBOOKS if key in sections_of(notebook)]
    if not its_own:
        pytest.skip(f"no notebook yet: section {key}, {len(section(key))} claims")
    assert missing(key, its_own) == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: str(path.relative_to(DIRECTORY)))
def test_a_notebook_judges_its_own_claims_only(notebook):
    assert unexpected(notebook) == []
