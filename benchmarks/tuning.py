"""Gain and duration of each tuning group on the current data.

    python -m benchmarks.tuning [fast full]

The last months before the hold-out are excluded from the search. The configured and the best recipe both value these
later sales. The gain on them is unbiased; the gain on the folds is too optimistic, because it selected the best trial.
"""

from __future__ import annotations

import os
import sys
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import yaml

from homei.config import params
from homei.evaluation.ratio_study import percentile_interval, resamples
from homei.features.columns import first_day
from homei.storage import lake
from homei.training import tune
from homei.training.time_splits import rolling_origins, tuning_sales
from homei.training.training_recipe import Recipe
from homei.training.tuning_gain import TuningGain

SECTIONS = ("seed", "city", "features", "split", "model", "train", "promote")


def main(groups: tuple[str, ...] = ("fast", "full")) -> None:
    p = params.pick(*SECTIONS)
    configured = Recipe.from_config(p)
    before = tuning_sales(lake.read(lake.TRAINING_SET), p.split)
    months = before["month"].to_numpy()
    ((train_rows, test_rows),) = rolling_origins(months, 1, p.split.hold_out_months)
    training_sales, later = before[train_rows], before[test_rows]
    errors = errors_of(configured, training_sales, later)
    print(
        f"city {p.city.name}, model {configured.name}: {len(training_sales)} sales for tuning; "
        f"{len(later)} later sales, {first_day(later['month'].min()):%Y-%m} to {first_day(later['month'].max()):%Y-%m} "
        f"for the test; the configured parameters have a median error of {np.median(errors):.3%} on them\n",
        flush=True,
    )
    for group in groups:
        tuning = params.section("tuning", yaml.safe_load(params.compose([f"tuning={group}"]))["tuning"])
        start = time.perf_counter()
        study = tune.search(
            configured, p.model.search, tune.tuning_folds(training_sales, tuning), tuning, p.train.workers
        )
        minutes = (time.perf_counter() - start) / 60
        best = configured.with_parameters(**tune.trial_parameters(study.best_trial, configured))
        report(group, tune.trials(study), minutes, errors, errors_of(best, training_sales, later), p)


def errors_of(recipe: Recipe, training_sales: pd.DataFrame, later: pd.DataFrame) -> np.ndarray:
    """Absolute relative errors of a recipe trained on `training_sales` on the later sales."""
    return np.abs(recipe.prices(training_sales, later) / later["price"].to_numpy() - 1)


def report(
    group: str, trials: pd.DataFrame, minutes: float, configured: np.ndarray, best: np.ndarray, p: SimpleNamespace
) -> None:
    """Prints a group's minutes and its gain over the configured parameters, on folds and later sales."""
    gain = TuningGain.from_trials(trials)
    later = float(np.median(configured) - np.median(best))
    resampled = [
        np.median(configured[rows], axis=-1) - np.median(best[rows], axis=-1)
        for rows in resamples(len(configured), p.promote.draws, p.seed)
    ]
    low, high = percentile_interval(np.concatenate(resampled), p.promote.confidence)
    print(
        f"{group}: {minutes:.1f} min for {gain.n_trials} trials, {gain.folds_trained} folds fitted, "
        f"{gain.folds_saved} pruned; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n"
        f"  on the folds      {gain.configured:.3%} -> {gain.best:.3%}: {100 * gain.gain:+.3f} points gained, "
        f"{100 * gain.gain / minutes:+.4f} a minute (trial {gain.best_trial}, "
        f"{'used' if gain.is_significant else 'not used'} by the stage)\n"
        f"  on later months   {np.median(configured):.3%} -> {np.median(best):.3%}: {100 * later:+.3f} points gained, "
        f"{100 * later / minutes:+.4f} a minute; {p.promote.confidence:.0%} interval {100 * low:+.3f} to "
        f"{100 * high:+.3f}\n",
        flush=True,
    )


if __name__ == "__main__":
    main(*([tuple(sys.argv[1:])] if sys.argv[1:] else []))
