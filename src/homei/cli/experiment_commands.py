"""`homei abtest`: the sample size and the result of an experiment with champion and challenger."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from homei.config import params
from homei.registry.config import ExperimentConfig, PromoteConfig

if TYPE_CHECKING:
    from sqlalchemy import Connection


class NoExperimentError(RuntimeError):
    """There is no experiment with this name, or none at all. The message says how to start one."""


def experiment_result(
    connection: Connection, name: str | None, settings: ExperimentConfig, promote: PromoteConfig, seed: int
) -> dict[str, Any]:
    """The published numbers of an experiment, by default of the one with the latest valuation.

    Raises NoExperimentError.
    """
    from homei.evaluation.ratio_study import rounded
    from homei.registry.experiment_result import evaluate_experiment
    from homei.warehouse.experiments import experiment_evidence, experiment_names

    names = experiment_names(connection)
    if not names:
        raise NoExperimentError(
            "no valuation belongs to an experiment yet: set experiment.share in params/config.yaml, run "
            "`homei compose` and `homei serve --experiment`. Valuations count if they name a property (or come from a "
            "client, see experiment.unit); `POST /api/v1/feedback` reports what properties sold at"
        )
    if name is not None and name not in names:
        raise NoExperimentError(f"there is no experiment {name}; the warehouse has\n" + "\n".join(names))
    evidence = experiment_evidence(connection, name or names[-1])
    result = evaluate_experiment(evidence.sales, evidence.units, evidence.design, settings, promote, seed)
    description = {"experiment": evidence.design.name, "since": evidence.since, "until": evidence.until}
    return rounded({**description, "valuations": evidence.valuations, "feedback": evidence.n_reported, **result})


@click.group()
def abtest() -> None:
    """Compare champion and challenger by what properties sell at.

    \b
    homei abtest plan                     prints how many sales an experiment needs
    homei serve --experiment              runs it
    homei abtest report                   reports its result
    """


@abtest.command()
@click.option("--experiment", "name", help="Its name, as --list prints it; by default the latest one.")
@click.option("--list", "is_listing", is_flag=True, help="Print the names of all experiments and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def report(name: str | None, is_listing: bool, as_json: bool) -> None:
    """Report both median errors, their difference with its interval, and whether it is decisive.

    Reads valuations and feedback from the warehouse. Each sale counts with the valuation that it names, or the last
    one of its property before the sale. Only the first experiment.sales sales count: set that number before the
    experiment starts. Writes reports/abtest/report.html and report.json.
    """
    from homei.reporting import experiment_page as pages
    from homei.warehouse.connection import connect, reading
    from homei.warehouse.experiments import experiment_names
    from homei.warehouse.schema import require_supported

    section = params.pick("experiment", "promote", "publish", "seed", "city")
    engine = connect(section.publish)
    require_supported(engine)
    with reading(engine) as connection:
        if is_listing:
            names = experiment_names(connection)
            click.echo("\n".join(names) or "There is no experiment yet: `homei serve --experiment` starts one.")
            return
        result = experiment_result(connection, name, section.experiment, section.promote, section.seed)
    pages.write(result, section.city.title)
    click.echo(json.dumps(result, indent=2) if as_json else pages.format_result(result))


@abtest.command()
def plan() -> None:
    """Print how many sales detect experiment.difference, given the last model's errors on its hold-out."""
    from homei.evaluation.evaluate import HOLD_OUT
    from homei.registry.experiment_result import POWER, needed_sales, planned_spread
    from homei.storage import lake

    section = params.pick("experiment", "promote", "seed")
    predictions = lake.read(lake.PREDICTIONS)
    holdout = predictions[predictions["part"] == HOLD_OUT]
    share = section.experiment.share or 0.5
    errors = (holdout["predicted"] / holdout["price"] - 1).to_numpy()
    spread = planned_spread(errors, share, section.promote.draws, section.seed)
    n_sales = needed_sales(spread, section.experiment.difference, section.promote.confidence)
    click.echo(
        f"Detecting a difference of {section.experiment.difference * 100:g} points of the median error with a power of "
        f"{POWER:.0%} takes {n_sales:,} reported sales, with {share:.0%} of units at the challenger: "
        "set experiment.sales to that number."
    )
