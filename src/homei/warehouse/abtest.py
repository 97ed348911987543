"""`homei abtest`: what an experiment will take, and what came of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from homei import config, params

if TYPE_CHECKING:
    from sqlalchemy import Connection


class NoExperimentError(RuntimeError):
    """There is no such experiment, or none at all; the message says how one begins."""


def result(
    connection: Connection, name: str | None, settings: config.Experiment, judging: config.Promote, seed: int
) -> dict[str, Any]:
    """The numbers of an experiment, by default of the one that answered last, rounded as they are published.

    Raises NoExperimentError.
    """
    from homei.model.abtest import judge
    from homei.model.evaluate import rounded
    from homei.warehouse.experiments import evidence, names

    known = names(connection)
    if not known:
        raise NoExperimentError(
            "no answer was part of an experiment yet: set experiment.share in params/config.yaml, `homei compose`, and "
            "`homei serve --experiment`; answers count that name a property (or come from a client, as experiment.unit "
            "says), and `POST /api/v1/feedback` tells what homes did sell at"
        )
    if name is not None and name not in known:
        raise NoExperimentError(f"there is no experiment {name}: there are\n" + "\n".join(known))
    given = evidence(connection, name or known[-1])
    judged = judge(given.sales, given.units, given.design, settings, judging, seed)
    told = {"experiment": given.design.name, "since": given.since, "until": given.until}
    return rounded({**told, "answers": given.answers, "feedback": given.told, **judged})


@click.group()
def abtest() -> None:
    """Compare champion and challenger by what homes sell at.

    \b
    homei abtest plan                     how many sales an experiment needs
    homei serve --experiment              runs it
    homei abtest report                   what came of it
    """


@abtest.command()
@click.option("--experiment", "name", help="Its name, as --list shows it; by default the one that answered last.")
@click.option("--list", "is_listing", is_flag=True, help="Name all experiments, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def report(name: str | None, is_listing: bool, as_json: bool) -> None:
    """Tell both median errors, their difference with its interval, and whether that decides.

    Takes answers and feedback from the warehouse, and lays each sale beside the valuation that it names, or the last
    one of that home before the sale. The first experiment.sales sales count: fix that number before an experiment
    begins, not while it runs. Writes reports/abtest/report.html and report.json.
    """
    from homei.report import abtest as pages
    from homei.warehouse.connection import connect, reading
    from homei.warehouse.experiments import names
    from homei.warehouse.schema import require_newest

    given = params.pick("experiment", "promote", "publish", "seed", "source")
    engine = connect(given.publish)
    require_newest(engine)
    with reading(engine) as connection:
        if is_listing:
            click.echo("\n".join(names(connection)) or "There is none yet: `homei serve --experiment` begins one.")
            return
        found = result(connection, name, given.experiment, given.promote, given.seed)
    pages.write(found, given.source.title)
    click.echo(json.dumps(found, indent=2) if as_json else pages.told(found))


@abtest.command()
def plan() -> None:
    """Say how many sales it takes to see experiment.difference, by how the last model erred on its hold-out."""
    from homei import lake
    from homei.model.abtest import POWER, needed, spread_of
    from homei.model.evaluate import HOLD_OUT

    given = params.pick("experiment", "promote", "seed")
    held = lake.read(lake.PREDICTIONS)
    held = held[held["part"] == HOLD_OUT]
    share = given.experiment.share or 0.5
    spread = spread_of((held["predicted"] / held["price"] - 1).to_numpy(), share, given.promote.draws, given.seed)
    count = needed(spread, given.experiment.difference, given.promote.confidence)
    click.echo(
        f"To see {given.experiment.difference * 100:g} points of the median error with a chance of {POWER:.0%} takes "
        f"{count:,} sales that are told, with {share:.0%} of units to the challenger: put that into experiment.sales."
    )
