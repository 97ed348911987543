"""`homei publish` and `homei migrate`: the warehouse's data and its schema."""

from __future__ import annotations

import click

from homei.config import params
from homei.pipeline import stages


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; compare the warehouse with the receipt.")
@click.option("--full", is_flag=True, help="Compare all rows, also of shards that did not change since the last time.")
def publish(check: bool, full: bool) -> None:
    """Stage: load properties, customers and the market into the warehouse.

    The environment variable HOMEI_WAREHOUSE (its name is the parameter `publish.address`) holds the URL of a
    PostgreSQL or SQLite database; the default is data/warehouse/homei.db. Readers see the previous publication until
    the new one is complete. The receipt is reports/publish/receipt.json.
    """
    if check and full:
        raise click.UsageError("--check writes nothing and --full publishes: choose one")
    if full:
        from homei.warehouse.publish import forget_contents

        forget_contents(params.pick("publish").publish)
    if not check:
        stages.run("publish")
        return
    from homei.warehouse.publish import check as find_differences

    differences = find_differences(params.pick("publish").publish)
    for difference in differences:
        click.echo(difference, err=True)
    if differences:
        raise click.ClickException(f"{len(differences)} differences from the receipt: run `homei publish --full`")
    click.echo("the warehouse matches the receipt")


@click.command()
def migrate() -> None:
    """Migrate the warehouse's schema to the newest revision and keep its rows."""
    from homei.warehouse import schema
    from homei.warehouse.connection import connect, public_url

    settings = params.pick("publish").publish
    engine = connect(settings)
    before, after = schema.migrate(engine, partitions=settings.partitions)
    message = "is the newest" if before == after else f"was {before or 'empty'}"
    click.echo(f"{public_url(engine.url)}: revision {after}, {message}")
