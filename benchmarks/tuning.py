"""What the tuning groups earn and what they cost, in one run on the data at hand.

    python -m benchmarks.tuning [fast full]

The last months before all tested ones are set aside: no search sees them, and each best recipe values them as the
model's own does. So the gain on them is honest, where the gain on the folds flatters, as the best was chosen there.
"""

from __future__ import annotations

import os
import sys
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import yaml

from homei import lake, params
from homei.features.columns import first_day, month_of
from homei.model import tune
from homei.model.earned import Earned
from homei.model.ratio import percentile_interval, resamples
from homei.model.recipe import Recipe, untested
from homei.model.split import rolling_origins

SECTIONS = ("seed", "source", "features", "split", "model", "train", "promote")


def main(groups: tuple[str, ...] = ("fast", "full")) -> None:
    p = params.pick(*SECTIONS)
    own = Recipe.of(p.seed, p.source, p.features, p.model, p.train)
    before = untested(lake.read(lake.READY), month_of(p.source.as_of), p.split)
    months = before["month"].to_numpy()
    ((learnt, asked),) = rolling_origins(months, months.max() + 1, 1, p.split.hold_out_months)
    known, later = before[learnt], before[asked]
    errors = errors_of(own, known, later)
    print(
        f"source {p.source.name}, model {own.name}: {len(known)} sales to search on; {len(later)} later ones, "
        f"{first_day(later['month'].min()):%Y-%m} to {first_day(later['month'].max()):%Y-%m}, set aside, where the "
        f"model's own parameters err by {np.median(errors):.3%}\n",
        flush=True,
    )
    for group in groups:
        tuning = params.section("tuning", yaml.safe_load(params.compose([f"tuning={group}"]))["tuning"])
        began = time.perf_counter()
        study = tune.search(own, p.model.search, tune.origins(known, tuning), tuning, p.train.workers)
        minutes = (time.perf_counter() - began) / 60
        found = own.with_parameters(**tune.best(study, own)["parameters"])
        report(group, tune.trials(study), minutes, errors, errors_of(found, known, later), p)


def errors_of(recipe: Recipe, known: pd.DataFrame, later: pd.DataFrame) -> np.ndarray:
    """Each later sale's absolute error as a share of its price, by the recipe learnt from the known ones."""
    return np.abs(recipe.prices(known, later) / later["price"].to_numpy() - 1)


def report(
    group: str, trials: pd.DataFrame, minutes: float, own: np.ndarray, found: np.ndarray, p: SimpleNamespace
) -> None:
    """A group's minutes, and its gain over the model's own parameters on the folds and on the later sales."""
    earned = Earned.of(trials)
    later = float(np.median(own) - np.median(found))
    drawn = [
        np.median(own[rows], axis=-1) - np.median(found[rows], axis=-1)
        for rows in resamples(len(own), p.promote.draws, p.seed)
    ]
    low, high = percentile_interval(np.concatenate(drawn), p.promote.confidence)
    print(
        f"{group}: {minutes:.1f} min for {earned.trials} trials, {earned.learnt} folds learnt, {earned.saved} pruned "
        f"away; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n"
        f"  on the folds      {earned.own:.3%} -> {earned.best:.3%}: {100 * earned.gain:+.3f} points gained, "
        f"{100 * earned.gain / minutes:+.4f} a minute (trial {earned.number})\n"
        f"  on later months   {np.median(own):.3%} -> {np.median(found):.3%}: {100 * later:+.3f} points gained, "
        f"{100 * later / minutes:+.4f} a minute; {p.promote.confidence:.0%} interval {100 * low:+.3f} to "
        f"{100 * high:+.3f}\n",
        flush=True,
    )


if __name__ == "__main__":
    main(*([tuple(sys.argv[1:])] if sys.argv[1:] else []))
