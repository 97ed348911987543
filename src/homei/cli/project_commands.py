"""Commands for a project's parameters, data and state: compose, fetch, verify, lineage, java and jars."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click
from click.core import ParameterSource

from homei.config import params
from homei.config.city import CityConfig
from homei.config.feeds import Source
from homei.pipeline import stages


@click.command()
@click.argument("overrides", nargs=-1)
@click.option("--check", is_flag=True, help="Write nothing; fail if params.yaml differs from the composition.")
def compose(overrides: tuple[str, ...], check: bool) -> None:
    """Write params.yaml from the groups in params/.

    OVERRIDES choose groups and set values in Hydra's grammar: city=hdb model=linear tuning.trials=20
    """
    text = params.compose(overrides)
    current = params.FILE.read_text(encoding="utf-8") if params.FILE.exists() else None
    if check and text != current:
        raise click.ClickException("params.yaml differs from the composition of params/: run `homei compose`")
    if text != current:
        params.FILE.write_text(text, encoding="utf-8")


@click.command()
@click.option("--sales", "n_sales", type=click.IntRange(min=100), help="Write a region of so many sales instead.")
@click.option("--name", default="region", show_default=True, help="The region's name in params/city/.")
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Its folder.  [default: data/external/NAME]")
@click.option("--format", "file_format", type=click.Choice(["parquet", "csv"]), default="parquet", show_default=True)
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True, help="Processes.")
def simulate(n_sales: int | None, name: str, folder: Path | None, file_format: str, workers: int) -> None:
    """Stage: simulate the demo city, or a region of any number of sales for tests of size.

    With --sales, writes a region of towns like the demo city: files of its feeds with the same kinds of faults, their
    true values, and the declaration params/city/NAME.yaml. Memory does not grow with the sales.

    \b
    homei simulate --sales 10000000
    """
    if n_sales is None:
        _refuse_options_without("--sales")
        stages.run("simulate")
        return
    import yaml

    from homei.demo.region import write_region
    from homei.demo.region_declaration import declaration_path, write_declaration

    params.enter_project()
    declaration_path(name)
    p = params.check(yaml.safe_load(params.compose(["city=demo"])))
    folder = folder or Path("data/external") / name
    city = p.city.model_copy(update={"folder": folder.as_posix()})
    n_tiles = write_region(p.seed, p.simulate, city, p.feeds, n_sales=n_sales, file_format=file_format, workers=workers)
    path = write_declaration(name, city, n_sales=n_sales, n_tiles=n_tiles, seed=p.seed, file_format=file_format)
    click.echo(f"{n_sales:,} sales in {n_tiles} town{'s' * (n_tiles > 1)}: {folder}/world, declared in {path}.")
    click.echo(f"Next: set HOMEI_PSEUDONYM_KEY, then run `homei fetch {name}` and `make repro city={name}`.")


def _refuse_options_without(option: str) -> None:
    """Raises UsageError if the running command has other options on its command line."""
    context = click.get_current_context()
    is_given = {name: context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in context.params}
    if others := [opt for param in context.command.params if is_given.get(param.name) for opt in param.opts]:
        raise click.UsageError(f"{', '.join(others)}: without {option}, only the demo city is simulated")


@click.command()
@click.argument("city", required=False)
@click.option("--from", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Copy from here.")
@click.option("--again", is_flag=True, help="Read feeds from their start, not only their changes.")
def fetch(city: str | None, folder: Path | None, again: bool) -> None:
    """Stage: read the feeds of CITY, and download or copy its files, into data/external/.

    CITY is a name in params/city/, by default the one in params.yaml. Its files are downloaded, or copied with --from;
    its feeds (APIs, databases, web pages, indicators) are read up to city.as_of, only changes since the last time.
    """
    import yaml

    from homei.ingestion.fetch import run

    p = stages.parameters("fetch") if city is None else params.check(yaml.safe_load(params.compose([f"city={city}"])))
    with _mock_servers(p.city):
        run(p.city, p.feeds, p.fetch, folder, again)


def _mock_servers(city: CityConfig) -> contextlib.AbstractContextManager[None]:
    """Runs the servers that the feeds of a simulated city are read from."""
    if not city.is_simulated:
        return contextlib.nullcontext()
    from homei.demo.mock_servers import running_servers

    return running_servers(Path(city.folder) / "world")


@click.command()
@click.option("--code", is_flag=True, help="Compare only code, notebooks and parameters, not what was built of them.")
def verify(code: bool) -> None:
    """Rehash every output, the cache and the model, and name each that differs from dvc.lock."""
    from homei.pipeline import verify as verification

    differences = verification.changed_inputs(Path.cwd()) if code else verification.verify(Path.cwd())
    for difference in differences:
        click.echo(difference, err=True)
    if differences:
        raise click.ClickException(f"{len(differences)} differences from dvc.lock: run `make repro`")
    click.echo("all have the hashes in dvc.lock")


@click.command()
@click.argument("table")
@click.argument("identity", metavar="ID")
def lineage(table: str, identity: str) -> None:
    """Show the raw records behind row ID of TABLE, and the stages that made it.

    \b
    homei lineage property_analytics P00101
    homei lineage sales T000001
    """
    from homei.pipeline.lineage import format_lineage, origins, snapshot_of, stages_behind

    p = params.pick("city", "feeds")
    records = origins(Source(p.city, p.feeds), table, identity)
    click.echo(format_lineage(records, stages_behind(table), snapshot_of(table)))


@click.command()
def java() -> None:
    """Find a Java 17 or newer for Spark, or install a JRE into the project."""
    from homei.spark.java import ensure

    click.echo(f"Java: {ensure()}")


@click.command()
def jars() -> None:
    """Fetch the jars with which Spark reads and writes S3, through Maven."""
    from homei.spark.jars import JarsError, fetch_s3a_jars

    try:
        paths = fetch_s3a_jars()
    except JarsError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Jars for S3: {len(paths)} in {paths[0].parent}")
