"""The table of guesses that `homei init` prints."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from typing import Any

from homei.onboarding.draft import CityDraft, Guess, Question

WIDTHS = (16, 34, 32)  # key, value, examples; the rest is for the reason and the doubt


def format_guesses(draft: CityDraft) -> str:
    """The guesses with two examples, the reason and a doubt each; then notes."""
    lines: list[str] = []
    for feed in draft.feeds:
        lines += [f"feed {feed.name}: {feed.n_rows:,} rows", *_rows([*feed.settings.values(), *feed.columns.values()])]
        if feed.lookup is not None:
            lines += [f"  lookup: {feed.lookup['file']}, {feed.lookup['key']} = {feed.lookup['template']}"]
        lines.append("")
    lines += ["city", *_rows([*draft.city.values(), *draft.contract.values()])]
    if draft.places:
        lines += ["places", *_rows(draft.places)]
    if draft.notes:
        lines += ["", "notes", *(f"  {note}" for note in draft.notes)]
    return "\n".join(lines)


def format_questions(questions: Sequence[Question]) -> str:
    """The questions with the option that answers each."""
    lines = []
    for question in questions:
        option = "--currency" if question.key == "currency" else f"--set {question.key}"
        joint = " " if question.key == "currency" else "="
        answers = " or ".join(f"{option}{joint}{quoted(choice)}" for choice in question.choices) or f"{option}{joint}…"
        lines += [f"  {question.text}", f"      {answers}"]
    return "\n".join(lines)


def quoted(choice: str) -> str:
    """A choice as a shell reads it."""
    import shlex

    return shlex.quote(choice)


def _rows(guesses: Sequence[Guess]) -> Iterator[str]:
    width = max(shutil.get_terminal_size((140, 24)).columns, 100)
    for guess in guesses:
        why = "; ".join(filter(None, (guess.reason, f"DOUBT: {guess.doubt}" if guess.doubt else "")))
        cells = (guess.key, _shown(guess.value), " | ".join(map(_cut, guess.examples[:2])))
        line = "  " + "  ".join(f"{_cut(cell, size):<{size}}" for cell, size in zip(cells, WIDTHS, strict=True))
        yield f"{line}  {why}".rstrip() if len(line) + len(why) < width or not why else f"{line.rstrip()}\n      {why}"


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        column = value.get("column") or value.get("template") or ""
        options = ", ".join(f"{key}: {option}" for key, option in value.items() if option != column)
        return ", ".join(filter(None, (column, options)))
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return str(value)


def _cut(text: str, size: int = 15) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= size else f"{plain[: size - 1]}…"
