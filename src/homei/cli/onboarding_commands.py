"""Commands for a new city: init and check."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from homei.onboarding.draft import Question


@click.command()
@click.argument("name")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--db", "url", help="Read a database: an SQLAlchemy address; write passwords as $VARIABLE.")
@click.option("--table", help="The database's table or view of sales.")
@click.option("--currency", help="The currency of the prices, such as USD.")
@click.option("--as-of", help="The last day whose sales are known, such as 2025-06-30.")
@click.option("--set", "answers", multiple=True, metavar="KEY=VALUE", help="Answer a question or correct a guess.")
@click.option("--force", is_flag=True, help="Replace the city's YAML and files of the same name.")
def init(
    name: str, files: tuple[Path, ...], url: str | None, table: str | None, currency: str | None, as_of: str | None,
    answers: tuple[str, ...], force: bool,
) -> None:  # fmt: skip
    """Draft the configuration of the city NAME from FILES or from a database.

    Guesses the format of the files and what their columns are, prints the guesses, copies the files to
    data/external/NAME/ and writes params/city/NAME.yaml. What the data does not tell is asked on a terminal;
    elsewhere the command names the options that answer.

    \b
    homei init springfield deeds-*.csv
    homei init springfield deeds.csv --currency USD --set sale_date.format=%m/%d/%Y --set price="Amount paid"
    homei init springfield --db postgresql+psycopg://reader:$PASSWORD@host/registry --table public.deeds
    """
    from homei.config import params
    from homei.onboarding import init as onboarding
    from homei.onboarding.guess_report import format_guesses

    files = tuple(path.resolve() for path in files)
    params.enter_project()
    if not name.isidentifier() or name != name.lower():
        raise click.ClickException(f"{name!r} is no name for a city: use lower-case letters, digits and _")
    if onboarding.declaration_path(name).exists() and not force:
        raise click.ClickException(f"{onboarding.declaration_path(name)} exists: replace it with --force")
    options = onboarding.parse_answers(answers, {"currency": currency, "as_of": as_of})
    ask = _ask if sys.stdin.isatty() else None
    if url is not None:
        if files or table is None:
            raise click.ClickException("--db needs --table, and no files")
        from homei.onboarding.input_tables import read_database

        draft = onboarding.answered_draft(name, [read_database(url, table)], options, ask)
    elif files:
        draft = onboarding.draft_from_files(name, files, options, ask)
    else:
        raise click.ClickException("give the files of the sales, or --db with --table")
    click.echo(format_guesses(draft))
    path = onboarding.write(name, draft, files, force)
    fetch = f"`homei fetch {name}`, " if url else ""
    click.echo(f"\nwrote {path}. Next: {fetch}`homei check {name}`, then `make repro city={name}`")


@click.command()
@click.argument("name")
def check(name: str) -> None:
    """Say in seconds what a run of the city NAME would do.

    Reads and validates its records as the stages do, in a temporary folder. Exits with 1 if a run would stop.
    """
    from homei.config import params
    from homei.onboarding.check import check as check_city
    from homei.onboarding.check import format_check

    params.enter_project()
    result = check_city(name)
    click.echo(format_check(name, result))
    if result.problems:
        sys.exit(1)


def _ask(question: Question) -> str:
    """The user's answer on the terminal."""
    choices = f" ({', '.join(question.choices)})" if question.choices else ""
    return click.prompt(f"{question.text}{choices}", type=str)
