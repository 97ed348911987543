"""`homei promote`, `homei champions`, `homei rollback` and `homei reload`: which model is in use."""

from __future__ import annotations

import sys

import click

from homei import params


@click.command()
@click.option("--dry-run", is_flag=True, help="Show the decision; record nothing.")
def promote(dry_run: bool) -> None:
    """Put what was built in the champion's place, if it is better beyond noise.

    The challenger is what dvc.lock records, all of it committed. It must err less than the champion on sales that
    neither had seen (the whole interval of a paired bootstrap), keep the ratio bands and its intervals' coverage, and
    beat the baselines. The decision is committed to registry/decisions.jsonl, a promotion is tagged as GTO does:
    valuation@v1.1.0, valuation#production#2. Ends with 1 where the challenger is refused.
    """
    from homei.model.promote import promote as judge
    from homei.model.promote import told

    given = params.pick("promote", "seed")
    decision = judge(given.promote, given.seed, write=not dry_run)
    click.echo(told(decision, dry_run))
    if decision["action"] == "refuse":
        sys.exit(1)


@click.command()
def champions() -> None:
    """List the models that were promoted, what they were measured, and which is in use."""
    from homei.model.promote import listed

    click.echo(listed())


@click.command()
@click.argument("version", required=False)
def rollback(version: str | None) -> None:
    """Put an earlier champion back into use, every byte as it was promoted.

    VERSION is one that `homei champions` lists, by default the one that today's champion replaced. What was built in
    the workspace stays as it is: `homei serve --champion` serves the champion.
    """
    from homei.model import champions as registry

    chosen = registry.find(version) if version else registry.version_before()
    folder = registry.roll_back(chosen)
    click.echo(f"{chosen.name} is in use again: `homei serve --champion` serves it from {folder}")
    click.echo("What was built in the workspace is untouched. Publish it: git push --follow-tags, dvc push")


@click.command()
def reload() -> None:
    """Have running services take the champion in use, as after `git pull --tags`.

    Its bytes come from DVC's cache, or its remote, and are checked. Services that `homei serve --champion` started in
    this folder take it within seconds, without a request being dropped; `homei promote` and `homei rollback` do this by
    themselves, and plain `homei serve` takes what is built.
    """
    from homei.serve.launch import champion_bento

    _, name = champion_bento()
    click.echo(f"Services that follow the champion of this folder take {name}")
