"""The command line: one subcommand a stage, and what stands around the graph; heavy imports stay in the commands."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import click

import homei
from homei import params, stages
from homei.model import commands as registry
from homei.serve.access import commands as access
from homei.source import ROOMS, Source
from homei.warehouse import commands as warehouse
from homei.warehouse.abtest import abtest

PATH = click.Path(path_type=Path)

EXAMPLES = """
\b
Examples:
  homei compose source=hdb tuning=full    write params.yaml for another run
  homei fetch hdb --from ../downloads     bring a source's files in
  homei train                             run one stage by hand, as `dvc repro` would
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
def cli() -> None:
    pass


@cli.command()
@click.argument("overrides", nargs=-1)
@click.option("--check", is_flag=True, help="Write nothing; fail where params.yaml differs from what params/ says.")
def compose(overrides: tuple[str, ...], check: bool) -> None:
    """Write params.yaml from the groups in params/.

    OVERRIDES choose groups and set values in Hydra's grammar: source=hdb model=linear tuning.trials=20
    """
    text = params.compose(overrides)
    current = params.FILE.read_text(encoding="utf-8") if params.FILE.exists() else None
    if check and text != current:
        raise click.ClickException("params.yaml is not what params/ composes to: run `homei compose`")
    if text != current:
        params.FILE.write_text(text, encoding="utf-8")


@cli.command()
@click.argument("source", required=False)
@click.option("--from", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Copy from here.")
@click.option("--again", is_flag=True, help="Read feeds from their start, not only what is new.")
def fetch(source: str | None, folder: Path | None, again: bool) -> None:
    """Bring what SOURCE lives from into its folder under data/external/.

    SOURCE is a name in params/source/, by default the one in params.yaml. Its files are downloaded, or copied with
    --from; its feeds (APIs, databases, web pages, indicators) are read up to source.as_of, only what is new since the
    last time.
    """
    import yaml

    from homei.sources.fetch import run

    values = params.read() if source is None else yaml.safe_load(params.compose([f"source={source}"]))
    declared = params.section("source", values["source"])
    with _outside(declared):
        run(declared, folder, again)


def _outside(source: Source) -> contextlib.AbstractContextManager[None]:
    """The servers and databases that a simulated city's feeds are read from; others have their own."""
    if source.name not in source.simulated:
        return contextlib.nullcontext()
    from homei.demo.outside import running

    return running(Path(source.folder) / "world")


@cli.command()
def verify() -> None:
    """Rehash every output, the cache and the model, and name what isn't what dvc.lock says."""
    from homei.verify import verify as find_differences

    differences = find_differences(Path.cwd())
    for difference in differences:
        click.echo(difference, err=True)
    if differences:
        raise click.ClickException(f"{len(differences)} differences found")
    click.echo("every output, the cache and the model are what dvc.lock says")


@cli.command()
@click.argument("table")
@click.argument("identity", metavar="ID")
def lineage(table: str, identity: str) -> None:
    """Show the raw records behind row ID of TABLE, and the stages that made it.

    \b
    homei lineage property_analytics P00101
    homei lineage sales T000001
    """
    from homei.lineage import makers, origins, told

    source = params.section("source", params.read()["source"])
    click.echo(told(origins(source, table, identity), makers(table)))


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=3000, show_default=True, help="Port to listen on.")
@click.option("--champion", is_flag=True, help="Serve the model in use, not the one that was built last.")
@click.option("--experiment", is_flag=True, help="Serve both: the challenger gets experiment.share of all.")
@click.option("--certificate", type=PATH, envvar="HOMEI_CERTIFICATE", help="For TLS, in PEM, with what it hangs by.")
@click.option("--certificate-key", type=PATH, envvar="HOMEI_CERTIFICATE_KEY", help="Its key, in PEM, of mode 600.")
def serve(
    host: str, port: int, champion: bool, experiment: bool, certificate: Path | None, certificate_key: Path | None
) -> None:
    """Answer valuations over HTTP from the packaged Bento, from the champion's, or from both.

    \b
    homei serve                           the model that was built last
    homei serve --champion                the model in use
    homei serve --experiment              the model in use, and for a share of all the one that was built last

    Where HOMEI_KEYS names a folder of keys, clients need tokens. Where it doesn't, only this machine may ask.

    In an experiment the same property (or client) always meets the same model, and each answer names its variant;
    `experiment` in params/ has the share and the salt, `homei abtest report` says what came of it.
    """
    from homei.serve.launch import launch

    if champion and experiment:
        raise click.UsageError("--champion serves one model, --experiment two: give one of them")
    launch(host, port, champion, certificate, certificate_key, experiment)


@cli.command()
@click.argument("number", metavar="N", type=click.IntRange(min=1))
@click.option(
    "--from", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="CSV or Parquet file."
)
@click.option("--by", "strata", help="A column: each of its values is drawn in proportion to its share.")
@click.option("--month", help="Only what was valued in this month, such as 2016-12.")
@click.option("--seed", type=int, help="Of the draw; by default the seed of params.yaml.")
def sample(number: int, file: Path | None, strata: str | None, month: str | None, seed: int | None) -> None:
    """Draw N valuations at random for people to review.

    \b
    homei sample 50                      from the hold-out's valuations
    homei sample 50 --by location        as many of each location as is its share
    homei sample 20 --from answers.csv   from valuations of your own (with a column transaction_id or id)

    Writes reports/review/sample.csv, with empty columns for the reviewer, and sample.json, which says of how many
    valuations it was drawn and how. The same seed draws the same sample.
    """
    from homei.model.review import run

    click.echo(run(number, params.pick("seed").seed if seed is None else seed, file, strata, month))


@cli.command()
@click.option(
    "--trials", type=click.IntRange(min=1), help="Until the study has N trials; by default tuning.trials.", metavar="N"
)
@click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True), help="Begin no trial after M minutes.", metavar="M"
)
@click.option(
    "--database",
    default="HOMEI_STUDY_DATABASE",
    show_default=True,
    metavar="NAME",
    help="The environment variable that holds the study's address; without it a file of this project's.",
)
@click.option(
    "--heartbeat",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="How often a process shows that it lives; the same for all that share a study.",
)
def search(trials: int | None, minutes: float | None, database: str, heartbeat: int) -> None:
    """Search the model's parameters with many processes or machines.

    \b
    homei search                          go on until the study has as many trials as tuning.trials says
    homei search --minutes 20 & homei search --minutes 20        two processes on one study
    export HOMEI_STUDY_DATABASE='postgresql+psycopg://homei:…@db.example.com/studies'
    homei search --trials 200             the same command on each machine

    All who value the same sales by the same recipe share a study. Ctrl-C puts the trials under way back, and running it
    again goes on; what a process that died was at is tried again after three heartbeats. Not byte-reproducible, as who
    is quicker decides what is tried next: what it finds is printed to be put into params/model/, from where `dvc repro`
    rebuilds it byte for byte. Writes reports/search/search.html.
    """
    from homei.model import search as shared
    from homei.report.shared_search import told, write

    found = shared.run(params.pick(*shared.SECTIONS), trials, minutes, database, heartbeat)
    if found is None:
        raise click.ClickException(
            "the model's own parameters, which all others are measured against, are not valued yet: run it again"
        )
    click.echo(told(found, write(found)))


@cli.command()
def java() -> None:
    """Find a Java 17 or newer for Spark, or install a JRE into the project."""
    from homei.java import ensure

    click.echo(f"Java: {ensure()}")


for _command in (
    registry.promote, registry.champions, registry.rollback, registry.reload, warehouse.publish, warehouse.migrate,
    access.key, access.client, access.audit, abtest,
):  # fmt: skip
    cli.add_command(_command)


def _stage_command(name: str) -> click.Command:
    arguments = [click.Argument(["room"], type=click.Choice([*ROOMS]))] if name == "ingest" else []
    return click.Command(
        name,
        params=list(arguments),
        callback=lambda **given: stages.run(name, **given),
        help=f"Stage: {stages.STAGES[name].title}.",
    )


for _name in stages.STAGES:
    if _name not in cli.commands:
        cli.add_command(_stage_command(_name))


def _run_the_code_of_this_folder() -> None:
    """Starts over with this folder's own src/ where another one was imported.

    DVC runs queued experiments in a copy of the repository, while the installed package points to the original:
    without this, a queued experiment would run today's code under yesterday's hashes.
    """
    here = Path("src/homei")
    if here.is_dir() and not here.samefile(Path(homei.__file__).parent):
        os.environ["PYTHONPATH"] = str(here.parent.resolve())
        os.execv(sys.executable, [sys.executable, "-m", "homei", *sys.argv[1:]])


def main() -> None:
    """The entry point: errors that a user can mend are one message, others keep their traceback."""
    _run_the_code_of_this_folder()
    for name in ("DO_NOT_TRACK", "BENTOML_DO_NOT_TRACK", "DVC_NO_ANALYTICS"):
        os.environ.setdefault(name, "true")
    try:
        cli(prog_name="homei")
    except (ValueError, OSError, RuntimeError) as error:
        if os.environ.get("HOMEI_TRACEBACK"):
            raise
        click.echo(f"homei: {error}", err=True)
        sys.exit(1)
