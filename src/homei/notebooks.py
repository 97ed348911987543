"""Notebooks as reports: papermill runs them, and what they show becomes a page of the same bytes each time."""

# ruff: noqa: E402
from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# An optional check of web addresses, of no use here, which takes jsonschema 1.0 s to import (of 2.4 s in all).
sys.modules.setdefault("rfc3987_syntax", None)

import papermill
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError
from traitlets import Unicode
from traitlets.config import Config

import homei
from homei import lake
from homei.report.page import page
from homei.report.stable import stable_html

INJECTED = "injected-parameters"


class NotebookError(RuntimeError):
    """A notebook that did not run to its end: the message names the notebook, the cell and the exception."""


class Kernel(AsyncKernelManager):
    """A kernel of this very interpreter, whatever kernels are installed, that leaves nothing in the user's home."""

    folder = Unicode(help="where it may keep files while it runs").tag(config=True)

    @property
    def kernel_spec(self) -> KernelSpec:
        # Each kernel is interrupted before it is shut down, which it would log as an error.
        options = ["--HistoryManager.enabled=False", "--IPKernelApp.log_level=CRITICAL"]
        if sys.stderr.isatty():
            # Progress bars show only on what calls itself a terminal; papermill hands stderr on to ours.
            options.append("--IPKernelApp.exec_lines=import sys; sys.stderr._isatty = True")
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", *options]
        return KernelSpec(argv=command, env=_environment(self.folder), language="python")


def execute(notebook: str | Path, sections: Mapping[str, Any], report: Path) -> None:
    """Runs a notebook on `sections` of params.yaml (plain values) and writes what it shows to `report`, an HTML page.

    The page's title is the notebook's first heading; it shows markdown and outputs, no code and no stderr. Where a
    cell fails, nothing is written and NotebookError tells which cell and why.
    """
    title, body = _title_and_body(scrub(_run(Path(notebook), sections)), Path(notebook).stem)
    lake.write_text(stable_html(page(title, body, _subtitle(sections))), report)


def scrub(notebook: NotebookNode) -> NotebookNode:
    """An executed notebook without what differs from run to run: times, ids, counts, the injected cell and stderr."""
    notebook.metadata = {}
    notebook.cells = [cell for cell in notebook.cells if INJECTED not in cell.metadata.get("tags", [])]
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id, cell.metadata = f"cell-{number}", {}
        if cell.cell_type == "code":
            cell.execution_count = None
            # What goes to stderr, progress and warnings, is for whoever runs the stage, not for the reader.
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = None
    return notebook


def _run(notebook: Path, sections: Mapping[str, Any]) -> NotebookNode:
    with tempfile.TemporaryDirectory(prefix="homei-kernel-") as folder:
        try:
            return papermill.execute_notebook(
                notebook,
                None,  # the executed notebook isn't kept: its page is
                parameters={"sections": dict(sections)},
                kernel_name="python3",
                language="python",
                kernel_manager_class=Kernel,
                # Sockets in the folder: no port that another run may want, and nobody else can listen.
                config=Config(
                    Kernel={"folder": folder, "connection_file": f"{folder}/kernel.json", "transport": "ipc"}
                ),
                progress_bar=sys.stderr.isatty(),
                stderr_file=sys.stderr,
            )
        except PapermillExecutionError as error:
            # The injected cell follows the one it overrides, which is the first of code.
            last = f"{error.ename}: {error.evalue}".strip().splitlines()[0]
            raise NotebookError(f"{notebook}, cell {error.cell_index}: {last}") from error
        except DeadKernelError as error:
            raise NotebookError(f"{notebook}: its process died; is there memory enough?") from error


def _environment(folder: str) -> dict[str, str]:
    """What keeps the kernel on this code, off the user's settings, and free of chance."""
    path = [str(Path(homei.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    own = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    chance = {"PYTHONHASHSEED": "0", "TZ": "UTC"}
    return {**dict.fromkeys(own, folder), **chance, "PYTHONPATH": os.pathsep.join(filter(None, path))}


def _title_and_body(notebook: NotebookNode, otherwise: str) -> tuple[str, str]:
    """The first heading, and the HTML of the rest: markdown and outputs, no code, no script."""
    title = otherwise
    first = next((cell for cell in notebook.cells if cell.cell_type == "markdown"), None)
    if first is not None and (heading := re.match(r"\s*# +(.+)\n?", first.source)):
        title, first.source = heading[1].strip(), first.source[heading.end() :]
    exporter = HTMLExporter(
        template_name="basic",
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    return title, exporter.from_notebook_node(notebook)[0]


def _subtitle(sections: Mapping[str, Any]) -> str:
    source = sections.get("source")
    return f"{source['title']} · as of {source['as_of']}" if source else ""
