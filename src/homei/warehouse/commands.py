"""`homei publish` and `homei migrate`: what the warehouse holds, and its schema."""

from __future__ import annotations

import click

from homei import params, stages


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; compare the warehouse with the receipt.")
def publish(check: bool) -> None:
    """Stage: bring properties, customers and the market into the warehouse.

    The warehouse is the PostgreSQL or SQLite database whose address the environment variable HOMEI_WAREHOUSE holds (or
    whatever `publish.address` in params/ calls it), by default data/warehouse/homei.db. Readers see what was published
    before until all is there. What is there is written to reports/publish/receipt.json.
    """
    if not check:
        stages.run("publish")
        return
    from homei.warehouse.publish import check as find_differences

    differences = find_differences(params.pick("publish").publish)
    for difference in differences:
        click.echo(difference, err=True)
    if differences:
        raise click.ClickException(f"{len(differences)} differences found: `homei publish` mends them")
    click.echo("the warehouse is what the receipt says")


@click.command()
def migrate() -> None:
    """Bring the warehouse's schema to the newest revision; what it holds stays."""
    from homei.warehouse.connection import connect, shown
    from homei.warehouse.schema import migrate as bring

    engine = connect(params.pick("publish").publish)
    before, now = bring(engine)
    click.echo(f"{shown(engine.url)}: revision {now}" + ("" if before == now else f", was {before or 'empty'}"))
