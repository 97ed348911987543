"""A draft as YAML for params/city/, with the reason and the doubt of each guess as a comment.

Comments hold no cells of the data: they may be personal, and the file goes into a repository.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from homei.onboarding.draft import CityDraft, FeedDraft, Guess

HEADING = "# @package _global_"
DOUBT = "doubt: "  # begins a comment that `homei check` repeats
COMMENT_COLUMN = 64


def as_yaml(draft: CityDraft) -> str:
    """The text of params/city/NAME.yaml."""
    lines = [
        HEADING,
        f"# Written by `homei init`. Check each line that says {DOUBT.strip()!r}; then run `homei check`.",
    ]
    lines += [f"# {note}" for note in map(_one_line, draft.notes)]
    lines += ["city:", *_section(draft.city, 1), "contract:", *_section(draft.contract, 1), "feeds:", "  sales:"]
    for feed in draft.feeds:
        lines += _feed(feed)
    if draft.places:
        lines += ["  places:", *(_line(f"    - {_flow(guess.value)}", guess) for guess in draft.places)]
    return "\n".join(lines) + "\n"


def values(draft: CityDraft) -> dict[str, Any]:
    """The sections city, contract and feeds as the YAML has them."""
    return yaml.safe_load(as_yaml(draft))


def doubts_in(text: str) -> list[str]:
    """The lines of a YAML file that say a doubt: the key and the doubt."""
    doubts = []
    for number, line in enumerate(text.splitlines(), 1):
        content, mark, comment = line.partition("  # ")
        if mark and DOUBT in comment:
            key = content.strip().removeprefix("- ").partition(":")[0]
            doubts.append(f"line {number}, {key}: {comment.partition(DOUBT)[2]}")
    return doubts


def _section(guesses: Mapping[str, Guess], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for key, guess in guesses.items():
        if key == "ranges":
            yield _line(f"{indent}{key}:", guess)
            yield from (f"{indent}  {name}: {_flow(value)}" for name, value in guess.value.items())
        else:
            yield _line(f"{indent}{_flow(key)}: {_flow(guess.value)}", guess)


def _feed(feed: FeedDraft) -> Iterator[str]:
    yield f"    - name: {feed.name}"
    for key, guess in feed.settings.items():
        if guess.value is None:
            yield _line(f"      # {key}: as the reader finds it", guess)
        else:
            yield _line(f"      {key}: {_flow(guess.value)}", guess)
    if feed.lookup is not None:
        yield f"      lookup: {_flow(feed.lookup)}"
    yield "      columns:"
    yield from _section(feed.columns, 4)


def _line(content: str, guess: Guess) -> str:
    comment = _one_line("; ".join(filter(None, (guess.reason, f"{DOUBT}{guess.doubt}" if guess.doubt else ""))))
    return f"{content:<{COMMENT_COLUMN}}  # {comment}" if comment else content


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1e9, sort_keys=False)
    return text.strip().removesuffix("...").strip()
