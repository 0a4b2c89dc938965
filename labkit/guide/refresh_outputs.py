"""The outputs that are committed: those of the cells whose outputs nbval compares.

``python -m labkit.guide.refresh_outputs`` (``make outputs``) runs every notebook on a board and
writes these outputs to its file. All other outputs are removed: they differ between boards.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from labkit.guide.notebooks import resolve

__all__ = ["COMPARED", "refresh"]

COMPARED = "nbval-check-output"
"""The tag of a cell whose output is the same on every board."""


def refresh(path: Path) -> None:
    """Run one notebook and store the outputs of the tagged cells in its file."""
    notebook: Any = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        store_widget_state=False,
    ).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times
        if cell.cell_type == "code" and COMPARED not in cell.metadata.get("tags", []):
            cell.outputs, cell.execution_count = [], None
    notebook.metadata.pop("language_info", None)  # the version of this machine's Python
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for notebook in resolve([]):
        print(notebook.name)
        refresh(notebook.path)
