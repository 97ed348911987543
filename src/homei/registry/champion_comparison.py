"""Comparison of a challenger with the champion on sales that neither model was trained on.

These are sales of the challenger's hold-out, unseen by its tuning and by its hold-out model. Where the hold-out
extends beyond the champion's last month, the champion in use values the new months with its own code. The champion has
then been trained on later sales than the challenger's hold-out model, so a challenger cannot win by being more recent.
Otherwise the recorded hold-out predictions of both are compared on the months they share.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from homei.evaluation.evaluate import HOLD_OUT
from homei.evaluation.ratio_study import checked, mdape, percentile_interval, resamples
from homei.registry import champions
from homei.registry.config import PromoteConfig
from homei.registry.isolated_inference import IsolatedInferenceError, run_in_bento
from homei.storage import lake
from homei.training.time_splits import month_name

# Run in a Bento's src/, where the champion's own code loads the champion's model.
VALUE_SALES = """
import sys, pandas
from pathlib import Path
from homei.training.encoding import columns_of
from homei.training.valuation_model import ValuationModel
sales = pandas.read_parquet(sys.argv[1])
price = ValuationModel.load(Path("valuation")).value(columns_of(sales)).price
pandas.DataFrame({"transaction_id": sales["transaction_id"], "champion": price}).to_parquet(sys.argv[2])
"""


class PromotionError(RuntimeError):
    """A challenger that cannot be evaluated: the message says what to do."""


@dataclass(frozen=True)
class Rule:
    """Whether a challenger passes one rule, and a sentence with the reason."""

    name: str
    ok: bool
    text: str


def prediction_pairs(champion: Path, predictions: pd.DataFrame, min_sales: int) -> pd.DataFrame:
    """transaction_id, month, price, challenger, champion and basis of the sales unseen by both.

    The basis is "new months" (after the champion's last) or "hold-out" (of both). Raises PromotionError for fewer than
    `min_sales` sales, and if an id names different sales in the two hold-outs.
    """
    holdout = holdout_values(predictions, "challenger")
    model = lake.read_json(champion / champions.BENTO / "src" / "valuation" / "meta.json")
    is_new = holdout["month"] > model["months"][1]
    if is_new.any():
        values, basis = champion_values(champion, holdout.loc[is_new, "transaction_id"]), "new months"
    else:
        values, basis = holdout_values(lake.read(champion / "predictions"), "champion"), "hold-out"
        check_same_sales(holdout, values)
    pairs = holdout.merge(values[["transaction_id", "champion"]], on="transaction_id", validate="one_to_one")
    pairs = pairs.dropna(subset=["challenger", "champion"]).sort_values("transaction_id", ignore_index=True)
    if len(pairs) < min_sales:
        raise PromotionError(
            f"only {len(pairs)} sales of the hold-out are unseen and valued by both models; promote.min_sales requires"
            f" {min_sales}: wait for more sales, or set city.as_of and split.hold_out_months as for the champion"
        )
    return pairs.assign(basis=basis)


def holdout_values(predictions: pd.DataFrame, name: str) -> pd.DataFrame:
    """transaction_id, month and price of the hold-out, and the values as column `name`."""
    holdout = predictions[predictions["part"] == HOLD_OUT].rename(columns={"predicted": name})
    return holdout[["transaction_id", "month", "price", name]]


def check_same_sales(holdout: pd.DataFrame, recorded: pd.DataFrame) -> None:
    """Raises PromotionError if a transaction_id has another month or price in the champion's hold-out."""
    pairs = holdout.merge(recorded, on="transaction_id", suffixes=("", "_recorded"))
    differ = pairs[(pairs["month"] != pairs["month_recorded"]) | (pairs["price"] != pairs["price_recorded"])]
    if len(differ):
        sale = differ.iloc[0]
        raise PromotionError(
            f"{len(differ)} of {len(pairs)} sales have another price or month than in the champion's hold-out, such as "
            f"transaction_id {sale['transaction_id']}: {month_name(sale['month'])}, {sale['price']:,.2f} now, and "
            f"{month_name(sale['month_recorded'])}, {sale['price_recorded']:,.2f} recorded. The models can only be "
            "compared on the same sales: map a stable transaction_id, or set city.as_of to a later month"
        )


def champion_values(champion: Path, transaction_ids: pd.Series) -> pd.DataFrame:
    """transaction_id and champion (value) of sales in the training set, by the champion's model and code."""
    sales = lake.read(lake.TRAINING_SET)
    with tempfile.TemporaryDirectory() as scratch:
        sales_path, values_path = Path(scratch, "sales.parquet"), Path(scratch, "values.parquet")
        sales[sales["transaction_id"].isin(transaction_ids)].to_parquet(sales_path, index=False)
        try:
            run_in_bento(champion / champions.BENTO, VALUE_SALES, str(sales_path), str(values_path))
        except IsolatedInferenceError as error:
            raise PromotionError(
                f"the champion cannot value the current sales; do they lack its features? {error}"
            ) from error
        return pd.read_parquet(values_path)


def compare_errors(pairs: pd.DataFrame, config: PromoteConfig, seed: int) -> dict[str, Any]:
    """MdAPE of both models on the same sales, and the difference with its paired bootstrap interval.

    The difference is the challenger's MdAPE minus the champion's, both on each resample.
    """
    price = pairs["price"].to_numpy()
    errors = {name: np.abs(checked(pairs[name], price)[0] / price - 1) for name in ("challenger", "champion")}
    differences = [
        np.median(errors["challenger"][rows], axis=-1) - np.median(errors["champion"][rows], axis=-1)
        for rows in resamples(len(price), config.draws, seed)
    ]
    medians = {name: mdape(pairs[name], price) for name in errors}
    return {
        "sales": len(pairs),
        "months": [int(pairs["month"].min()), int(pairs["month"].max())],
        "basis": pairs["basis"].iloc[0],
        "mdape": medians,
        "difference": medians["challenger"] - medians["champion"],
        "interval": percentile_interval(np.concatenate(differences), config.confidence),
        "confidence": config.confidence,
    }


def comparison_rule(comparison: Mapping[str, Any], champion: str) -> Rule:
    """The rule that the whole interval of the difference lies below zero."""
    low, high = comparison["interval"]
    errors = comparison["mdape"]
    conclusion = "significantly better" if high < 0 else "significantly worse" if low > 0 else "no significant change"
    text = (
        f"The error is {errors['challenger']:.2%} against {errors['champion']:.2%} of {champion}, "
        f"on {comparison['sales']} sales ({comparison['basis']}): {comparison['difference'] * 100:+.2f} points, "
        f"{comparison['confidence']:.0%} interval {low * 100:+.2f} to {high * 100:+.2f}: {conclusion}."
    )
    return Rule("better_than_champion", high < 0, text)
