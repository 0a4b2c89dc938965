"""The outputs that are committed: those of the cells whose outputs nbval compares.

``python -m labkit.guide.refresh_outputs`` (``make outputs``) runs every notebook on a board and
writes these outputs to its file. All other outputs are removed: they differ between runs.
Names of notebooks as arguments limit it to those.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from labkit.guide.notebooks import resolve

__all__ = ["COMPARED", "PLATFORMS", "refresh"]

COMPARED = "nbval-check-output"
"""The tag of a cell whose output is the same in every run on boards of one platform."""

PLATFORMS = {
    "02-environment/2.4-raspberry-pi-5": "raspberry-pi-5",
    "03-runtime/3.3-real-time": "raspberry-pi-5",
    "04-verification/4.3-systemd-units": "raspberry-pi-5",
}
"""The notebooks whose outputs come from another platform than the one in their parameters.

They change settings of the board, and only this platform has all of them.
``tests/board/test_pi_notebooks.py`` runs them there and compares the outputs."""


def refresh(path: Path, platform: str = "") -> None:
    """Run one notebook and store the outputs of the tagged cells in its file.

    With ``platform`` it runs on a board of that platform, else on that of its parameters.
    """
    notebook: Any = nbformat.read(path, as_version=4)
    (parameters,) = (
        cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])
    )
    source = parameters.source
    if platform:
        parameters.source += f"\nplatform = {platform!r}"
    NotebookClient(
        notebook,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        store_widget_state=False,
    ).execute()
    parameters.source = source
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times
        if cell.cell_type == "code" and COMPARED not in cell.metadata.get("tags", []):
            cell.outputs, cell.execution_count = [], None
    notebook.metadata.pop("language_info", None)  # the version of this machine's Python
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for notebook in resolve(sys.argv[1:]):
        print(notebook.name)
        refresh(notebook.path, PLATFORMS.get(notebook.name, ""))
