"""The command line: one subcommand a stage, and the commands around the graph.

Commands import heavy packages only when they run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

import homei
from homei.cli import access_commands as access
from homei.cli import model_commands as model
from homei.cli import onboarding_commands as onboarding
from homei.cli import project_commands as project
from homei.cli import registry_commands as registry
from homei.cli import warehouse_commands as warehouse
from homei.cli.experiment_commands import abtest
from homei.cli.lake_commands import lake
from homei.pipeline import failures, stages
from homei.storage.tables import RAW

EXAMPLES = """
\b
Examples:
  homei init springfield deeds-*.csv      draft a city's configuration from its files
  homei compose city=hdb tuning=full      write params.yaml for another run
  homei fetch hdb --from ../downloads     copy a city's files
  homei train                             run one stage by hand, as `dvc repro` would
  homei render train                      render a stage's report
  homei verify                            rehash all that was built
  homei search --minutes 20               search parameters with many processes, outside the graph
  homei promote                           put what was built into use, if it is better beyond noise
  homei rollback v1.0.0                   put an earlier model back into use
  homei publish --check                   compare the warehouse with what was published
"""


@click.group(
    help="homei turns a city's property sales into valuations that can be trusted, explained and rebuilt.",
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error on the terminal.")
def cli(debug: bool) -> None:
    if debug:
        os.environ[failures.DEBUG] = "1"


@cli.group()
def render() -> None:
    """Render a stage's report, as `dvc repro` does after the stage."""


for _command in (
    onboarding.init, onboarding.check, project.compose, project.simulate, project.fetch, project.verify,
    project.lineage, project.java, project.jars,
    model.serve, model.sample, model.search,
    registry.promote, registry.champions, registry.rollback, registry.reload,
    warehouse.publish, warehouse.migrate,
    access.key, access.client, access.audit, abtest, lake,
):  # fmt: skip
    cli.add_command(_command)


def _stage_command(stage: str, name: str) -> click.Command:
    def run(**arguments: Any) -> None:
        stages.run(stage, **arguments)

    arguments = [click.Argument(["table"], type=click.Choice([*RAW]))] if stage == "ingest" else []
    return click.Command(name, params=list(arguments), callback=run, help=f"Stage: {stages.STAGES[stage].title}.")


for _stage in stages.STAGES:
    _group = render if _stage.startswith("render_") else cli
    _name = _stage.removeprefix("render_")
    if _name not in _group.commands:
        _group.add_command(_stage_command(_stage, _name))


def _use_code_of_this_folder() -> None:
    """Restarts with this folder's src/ if another copy of homei was imported.

    DVC runs queued experiments in a copy of the repository, but the installed package points to the original: a queued
    experiment would run the code of today under the hashes of yesterday.
    """
    here = Path("src/homei")
    if here.is_dir() and not here.samefile(Path(homei.__file__).parent):
        os.environ["PYTHONPATH"] = str(here.parent.resolve())
        os.execv(sys.executable, [sys.executable, "-m", "homei", *sys.argv[1:]])


def main() -> None:
    """The entry point. Errors become a message; `--debug` or HOMEI_DEBUG=1 shows their traceback."""
    _use_code_of_this_folder()
    for name in ("DO_NOT_TRACK", "BENTOML_DO_NOT_TRACK", "DVC_NO_ANALYTICS"):
        os.environ.setdefault(name, "true")
    try:
        cli(prog_name="homei")
    except Exception as error:
        if os.environ.get(failures.DEBUG):
            raise
        click.echo(f"homei: {failures.message(error, sys.argv[1:])}", err=True)
        sys.exit(1)
