"""Rendering of notebooks as HTML pages: papermill executes them; equal outputs give equal bytes."""

# ruff: noqa: E402
from __future__ import annotations

import builtins
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

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
from homei.reporting.html_page import page
from homei.storage import lake
from homei.storage.stable_html import stable_html


class NotebookError(RuntimeError):
    """A notebook that failed; the message has the exception's own message, and what to do."""


class Kernel(AsyncKernelManager):
    """A Jupyter kernel of the current interpreter that writes no file to the user's home."""

    folder = Unicode(help="for temporary files").tag(config=True)

    @property
    def kernel_spec(self) -> KernelSpec:
        # Each kernel is interrupted before it is shut down, which it would log as an error.
        options = ["--HistoryManager.enabled=False", "--IPKernelApp.log_level=CRITICAL"]
        if sys.stderr.isatty():
            # Progress bars show only on what calls itself a terminal; papermill hands stderr on to ours.
            options.append("--IPKernelApp.exec_lines=import sys; sys.stderr._isatty = True")
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", *options]
        return KernelSpec(argv=command, env=_environment(self.folder), language="python")


def execute(notebook: str | Path, report: Path, subtitle: str) -> None:
    """Executes a notebook and writes its markdown and outputs, without code and stderr, as an HTML page.

    The page's title is the notebook's first heading. If the notebook fails, no page is written, the executed notebook
    with the failing cell is stored beside the page's path as *.failed.ipynb, and NotebookError is raised.
    """
    failed_copy = report.with_suffix(".failed.ipynb")
    failed_copy.unlink(missing_ok=True)
    title, body = _title_and_body(scrub(_run(Path(notebook), failed_copy)), Path(notebook).stem)
    lake.write_text(stable_html(page(title, body, subtitle)), report)


def scrub(notebook: NotebookNode) -> NotebookNode:
    """An executed notebook without all that differs between runs: times, ids, counts and stderr."""
    notebook.metadata = {}
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id, cell.metadata = f"cell-{number}", {}
        if cell.cell_type == "code":
            cell.execution_count = None
            # stderr has progress bars and warnings, for the terminal only.
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = None
    return notebook


def _run(notebook: Path, failed_copy: Path) -> NotebookNode:
    with tempfile.TemporaryDirectory(prefix="homei-kernel-") as folder:
        try:
            return papermill.execute_notebook(
                notebook,
                f"{folder}/{notebook.name}",
                autosave_cell_every=0,
                kernel_name="python3",
                language="python",
                kernel_manager_class=Kernel,
                # Sockets in the folder: no TCP port that another run may need or another user can read.
                config=Config(
                    Kernel={"folder": folder, "connection_file": f"{folder}/kernel.json", "transport": "ipc"}
                ),
                progress_bar=sys.stderr.isatty(),
                stderr_file=sys.stderr,
            )
        except PapermillExecutionError as error:
            failed_copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(f"{folder}/{notebook.name}", failed_copy)
            raise NotebookError(_message(notebook, error, failed_copy)) from error
        except DeadKernelError as error:
            raise NotebookError(
                f"{notebook}: its process died; it may lack memory. Close other programs or reduce the data, and run "
                "`dvc repro` again"
            ) from error


def _message(notebook: Path, error: PapermillExecutionError, failed_copy: Path) -> str:
    """The exception's own message, which names the remedy if homei raised it, and where to look."""
    # A message of homei is a sentence; of other exceptions, such as KeyError, the type says what happened.
    is_builtin = hasattr(builtins, error.ename) and error.ename not in ("ValueError", "RuntimeError")
    message = f"{error.ename}: {error.evalue}" if is_builtin else error.evalue
    return (
        f"{message.strip()}\n{notebook} stopped with this error. Correct the cause and run `dvc repro` again. The "
        f"executed notebook, with the failing code and its traceback, is {failed_copy}"
    )


def _environment(folder: str) -> dict[str, str]:
    """The environment of a kernel: this code, no user settings, and a fixed hash seed and time zone."""
    path = [str(Path(homei.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    folders = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    fixed = {"PYTHONHASHSEED": "0", "TZ": "UTC"}
    return {**dict.fromkeys(folders, folder), **fixed, "PYTHONPATH": os.pathsep.join(filter(None, path))}


def _title_and_body(notebook: NotebookNode, default_title: str) -> tuple[str, str]:
    """The first heading, and the HTML of all other markdown and outputs."""
    title = default_title
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
