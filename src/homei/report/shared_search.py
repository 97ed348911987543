"""What a search outside the graph found, as `homei search` prints it and as a page of its own."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

from markupsafe import Markup

from homei import lake
from homei.model.search import CAVEAT, Found, block
from homei.report.formats import text
from homei.report.page import cards, page, table
from homei.report.searches import earned, path, points, verdict, work

PAGE = Path("reports/search/search.html")
SHOWN = 10  # of the best trials


def write(found: Found) -> Path:
    """Writes PAGE, which asks nothing of the outside world."""
    body = "".join([_opening(found), _pictures(found), _parameters(found)])
    origin = Markup("Written by <code>homei search</code>; {}.").format(CAVEAT)
    subtitle = f"{found.title} · {found.model} · study {found.study}"
    put(page("What the shared search earned", body, subtitle, origin=origin))
    return PAGE


def put(html: str) -> None:
    """Makes PAGE a text, whole, though processes that share a study end, and write it, at the same moment."""
    own = PAGE.with_name(f".search-{os.getpid()}.html")
    lake.write_text(html, own)
    own.replace(PAGE)


def told(found: Found, written: Path) -> str:
    """What the search found, as it is printed at its end."""
    return "\n".join(
        [
            f"study {found.study} in {found.kept_in}: {len(found.trials)} trials, {found.failed} given up or lost",
            work(found.earned),
            f"That is {points(found.earned.gain / found.minutes, 4)} points a minute over {found.minutes:.1f} minutes.",
            verdict(found.earned),
            f"\nThis search is {CAVEAT}. To make what it found so, put this into params/model/{found.model}.yaml:\n",
            block(found.parameters),
            f"The page: {written}",
        ]
    )


def _opening(found: Found) -> str:
    note = (
        f"This search ran outside the graph and is {CAVEAT}. It becomes so once the parameters below stand in "
        f"params/model/{found.model}.yaml. Minutes are those in which a trial was under way, on whatever machines."
    )
    own, minutes = found.earned, found.minutes
    items = [
        ("Gain", f"{points(own.gain)} points", f"{text(own.own, 'percent3')} to {text(own.best, 'percent3')}"),
        ("Gain per minute", f"{points(own.gain / minutes, 4)} points", f"over {text(minutes, 'decimal1')} minutes"),
        ("Trials", text(own.trials), f"{text(own.pruned / own.trials, 'percent0')} of them pruned"),
        ("Workers", text(found.trials["worker"].nunique()), f"{found.failed} trials were given up or lost"),
    ]
    shown = cards([{"label": label, "value": value, "note": said} for label, value, said in items])
    return f"<p>{escape(note)}</p>{shown}{earned(own)}"


def _pictures(found: Found) -> str:
    minutes = path(found.trials, "minutes", "Best error so far by minute", found.own)
    pruned = found.trials.assign(pruned=found.trials["state"] == "pruned").groupby("worker", as_index=False)
    workers = pruned.agg(trials=("number", "size"), pruned=("pruned", "sum"), folds=("folds", "sum"))
    return f"<h2>By the clock</h2>{minutes}<h2>Who did what</h2>{table(workers)}"


def _parameters(found: Found) -> str:
    best = found.trials.dropna(subset=["value"]).nsmallest(SHOWN, ["value", "number"])
    best = best.drop(columns=["state", "folds", "learnt"])
    formats = {name: "percent3" for name in best if name == "value" or name.startswith("fold_")}
    return (
        f"<h2>To make it reproducible</h2><p>Put this into <code>params/model/{escape(found.model)}.yaml</code>, "
        f"compose, and the graph starts from it.</p><pre>{escape(block(found.parameters))}</pre>"
        f"<h2>The best trials</h2>{table(best, {**formats, 'minutes': 'decimal1'})}"
    )
