"""A challenger against the champion, on sales that neither had seen.

That are those of the challenger's hold-out, which neither its tuning nor its twin for the hold-out has seen. Where it
reaches beyond the champion's last month, the champion in use values the new months, by its own code; it has learnt
from later sales than the challenger's twin, so no challenger wins by being fresher. Otherwise the champion's
valuations are those of its own twin, of the months that both hold-outs share.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from homei import config, lake
from homei.model import champions, own_code
from homei.model.evaluate import HOLD_OUT
from homei.model.ratio import checked, mdape, percentile_interval, resamples

# Run in a Bento's src/: the champion's own code reads its own model, whatever has become of today's.
VALUE = """
import sys, pandas
from pathlib import Path
from homei.model.preprocess import columns_of
from homei.model.valuation import Valuation
asked = pandas.read_parquet(sys.argv[1])
price = Valuation.load(Path("valuation")).value(columns_of(asked)).price
pandas.DataFrame({"transaction_id": asked["transaction_id"], "predicted": price}).to_parquet(sys.argv[2])
"""


class PromotionError(RuntimeError):
    """A challenger that can't be judged: the message says what to do."""


@dataclass(frozen=True)
class Rule:
    """Whether a challenger passes one rule, and why, in a sentence."""

    name: str
    ok: bool
    text: str


def both_valued(champion: Path, predictions: pd.DataFrame, fewest: int) -> pd.DataFrame:
    """transaction_id, month, price, challenger, champion (values) and basis of the sales that neither had seen.

    The basis is "new months", after the champion's last, or "hold-out", the same one of both. Raises PromotionError
    where fewer than `fewest` sales are left.
    """
    held = predictions[predictions["part"] == HOLD_OUT].rename(columns={"predicted": "challenger"})
    held = held[["transaction_id", "month", "price", "challenger"]]
    model = lake.read_json(champion / champions.BENTO / "src" / "valuation" / "meta.json")
    unseen = held[held["month"] > model["months"][1]]
    if len(unseen):
        valued, basis = values_of(champion, unseen["transaction_id"]), "new months"
    else:
        known = lake.read(champion / "predictions")
        valued, basis = known[known["part"] == HOLD_OUT][["transaction_id", "predicted"]], "hold-out"
    pairs = held.merge(valued.rename(columns={"predicted": "champion"}), on="transaction_id", validate="one_to_one")
    pairs = pairs.dropna(subset=["challenger", "champion"]).sort_values("transaction_id", ignore_index=True)
    if len(pairs) < fewest:
        raise PromotionError(
            f"only {len(pairs)} sales of the hold-out were seen by neither and valued by both; promote.fewest asks for "
            f"{fewest}: wait for more sales, or take source.as_of and split.hold_out_months back to the champion's"
        )
    return pairs.assign(basis=basis)


def values_of(champion: Path, identities: pd.Series) -> pd.DataFrame:
    """transaction_id and predicted of sales in READY, by the champion's model and its own code."""
    ready = lake.read(lake.READY)
    with tempfile.TemporaryDirectory() as scratch:
        asked, answer = Path(scratch, "asked.parquet"), Path(scratch, "answer.parquet")
        ready[ready["transaction_id"].isin(identities)].to_parquet(asked, index=False)
        try:
            own_code.run(champion / champions.BENTO, VALUE, str(asked), str(answer))
        except own_code.OwnCodeError as error:
            raise PromotionError(
                f"the champion can't value today's sales; do they lack its features? {error}"
            ) from error
        return pd.read_parquet(answer)


def lead(pairs: pd.DataFrame, settings: config.Promote, seed: int) -> dict[str, Any]:
    """How both did on the same sales, and the challenger's MdAPE less the champion's with its paired interval.

    Both are judged on each resample, so that one that happens to be easy flatters neither.
    """
    ours, price = checked(pairs["challenger"], pairs["price"])
    theirs, _ = checked(pairs["champion"], pairs["price"])
    our_error, their_error = np.abs(ours / price - 1), np.abs(theirs / price - 1)
    drawn = [
        np.median(our_error[rows], axis=-1) - np.median(their_error[rows], axis=-1)
        for rows in resamples(len(price), settings.draws, seed)
    ]
    errors = {"challenger": mdape(ours, price), "champion": mdape(theirs, price)}
    return {
        "sales": len(pairs),
        "months": [int(pairs["month"].min()), int(pairs["month"].max())],
        "basis": pairs["basis"].iloc[0],
        "mdape": errors,
        "difference": errors["challenger"] - errors["champion"],
        "interval": percentile_interval(np.concatenate(drawn), settings.confidence),
        "confidence": settings.confidence,
    }


def lead_rule(compared: Mapping[str, Any], champion: str) -> Rule:
    """The rule that the whole interval of the difference lies below zero."""
    low, high = compared["interval"]
    errors, basis = compared["mdape"], compared["basis"]
    told = (
        f"The error is {errors['challenger']:.2%} against {errors['champion']:.2%} of {champion}, "
        f"on {compared['sales']} sales ({basis}): {compared['difference'] * 100:+.2f} points, "
        f"{compared['confidence']:.0%} interval {low * 100:+.2f} to {high * 100:+.2f}"
    )
    so = "better beyond noise." if high < 0 else "worse beyond noise." if low > 0 else "no more than noise."
    return Rule("better_than_champion", high < 0, f"{told}: {so}")
