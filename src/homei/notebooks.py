"""Notebooks as reports: papermill runs them, and what they show becomes a page of the same bytes each time."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbformat import NotebookNode
from traitlets import default

import homei
from homei import lake
from homei.report.page import page
from homei.report.stable import stable_html


class NotebookError(RuntimeError):
    """A notebook that did not run to its end: the message names the notebook, the cell and the exception."""


class Kernel(AsyncKernelManager):
    """This interpreter's own kernel, whatever kernels are installed, which leaves nothing in the user's home."""

    folder = ""  # set by `_kernel_in`

    @property
    def kernel_spec(self) -> KernelSpec:
        lean = ["--HistoryManager.enabled=False", "--InteractiveShell.cache_size=0", "--no-stdout-capture"][:2]
        if sys.stderr.isatty():
            # Progress bars appear only where they believe in a terminal; papermill hands them on to ours.
            lean.append("--IPKernelApp.exec_lines=import sys; sys.stderr._isatty = True")
        return KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", *lean],
            env=_environment(self.folder),
            language="python",
        )

    @default("connection_file")
    def _connection_file(self) -> str:
        return str(Path(self.folder, "kernel.json"))


def execute(notebook: str | Path, sections: Mapping[str, Any], report: Path) -> None:
    """Runs a notebook on `sections` of params.yaml (plain values) and writes what it shows to `report`, an HTML page.

    The page's title is the notebook's first heading; it shows markdown and outputs, no code and no stderr. Where a
    cell fails nothing is written, and NotebookError tells which cell and why.
    """
    executed = scrub(_run(Path(notebook), sections))
    title, body = _title_and_body(executed)
    depth = len(report.parts) - 1 - report.parts.index("reports") - 1 if "reports" in report.parts else 1
    lake.write_text(stable_html(page(title, body, _subtitle(sections), depth)), report)


def scrub(notebook: NotebookNode) -> NotebookNode:
    """An executed notebook without what differs from run to run: times, ids, counts, the injected cell, stderr."""
    notebook.metadata = {}
    notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.execution_count = None
            # What goes to stderr, progress and warnings, is for whoever runs the stage, not for the reader.
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            for output in cell.outputs:
                output.pop("execution_count", None)
                output.metadata = {}
    return notebook
