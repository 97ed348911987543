"""`homei publish` and `homei migrate`: the warehouse's data and its schema."""

from __future__ import annotations

import click

from homei.config import params
from homei.pipeline import stages


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; compare the warehouse with the receipt.")
def publish(check: bool) -> None:
    """Stage: load properties, customers and the market into the warehouse.

    The environment variable HOMEI_WAREHOUSE (its name is the parameter `publish.address`) holds the URL of a
    PostgreSQL or SQLite database; the default is data/warehouse/homei.db. Readers see the previous publication until
    the new one is complete. The receipt is reports/publish/receipt.json.
    """
    if not check:
        stages.run("publish")
        return
    from homei.warehouse.publish import check as find_differences

    differences = find_differences(params.pick("publish").publish)
    for difference in differences:
        click.echo(difference, err=True)
    if differences:
        raise click.ClickException(f"{len(differences)} differences from the receipt: run `homei publish`")
    click.echo("the warehouse matches the receipt")


@click.command()
def migrate() -> None:
    """Migrate the warehouse's schema to the newest revision and keep its rows."""
    from homei.warehouse import schema
    from homei.warehouse.connection import connect, public_url

    engine = connect(params.pick("publish").publish)
    before, after = schema.migrate(engine)
    message = "is the newest" if before == after else f"was {before or 'empty'}"
    click.echo(f"{public_url(engine.url)}: revision {after}, {message}")
