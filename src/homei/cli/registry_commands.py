"""`homei promote`, `homei champions`, `homei rollback` and `homei reload`: the model in use."""

from __future__ import annotations

import sys

import click

from homei.config import params


@click.command()
@click.option("--dry-run", is_flag=True, help="Show the decision; record nothing.")
def promote(dry_run: bool) -> None:
    """Replace the champion by the model built here, if that is significantly better.

    The challenger is the model recorded in dvc.lock, with all files committed. On sales unseen by both models, its
    error must be lower than the champion's (the whole interval of a paired bootstrap). It must pass the ratio bands,
    the coverage of its intervals and the comparison with every baseline. The decision is committed to
    registry/decisions.jsonl. A promotion is tagged in GTO's format: valuation@v1.1.0, valuation#production#2. The
    exit code is 1 if the challenger is refused.
    """
    from homei.registry.promote import format_decision
    from homei.registry.promote import promote as decide

    config = params.pick("promote", "seed")
    decision = decide(config.promote, config.seed, write=not dry_run)
    click.echo(format_decision(decision, dry_run))
    if decision["action"] == "refuse":
        sys.exit(1)


@click.command()
def champions() -> None:
    """List the promoted models with their errors, and which is in use."""
    from homei.registry.promote import format_champions

    click.echo(format_champions())


@click.command()
@click.argument("version", required=False)
def rollback(version: str | None) -> None:
    """Put an earlier champion back into use, with the bytes that were promoted.

    VERSION is one of those listed by `homei champions`; by default the one that the current champion replaced. Models
    built in the workspace are not changed: `homei serve --champion` serves the champion.
    """
    from homei.registry import champions as registry

    target = registry.find_version(version) if version else registry.previous_champion()
    folder = registry.roll_back(target)
    click.echo(f"{target.name} is in use again: `homei serve --champion` serves it from {folder}")
    click.echo("The workspace's own model is unchanged. Publish the rollback: git push --follow-tags, dvc push")


@click.command()
def reload() -> None:
    """Make running services load the champion in use, for example after `git pull --tags`.

    Its bytes are fetched from DVC's cache or remote and checked. Services started by `homei serve --champion` in this
    folder load it within seconds, without dropping a request. `homei promote` and `homei rollback` do this themselves.
    """
    from homei.serving.launch import champion_bento

    _, name = champion_bento()
    click.echo(f"Services that follow the champion of this folder load {name}")
