"""Command `homei lake`: care of an external lake."""

from __future__ import annotations

import datetime
from pathlib import Path

import click

from homei.config import params


@click.group()
def lake() -> None:
    """Care for the tables of an external lake."""


@lake.command()
@click.option("--remove", is_flag=True, help="Remove them; otherwise they are only listed.")
@click.option("--days", type=click.FloatRange(min=0), default=1, show_default=True, help="Keep newer files.")
@click.option("--ignore-history", is_flag=True, help="Also remove snapshots that only receipts outside the cache name.")
def clean(remove: bool, days: float, ignore_history: bool) -> None:
    """List or remove files of the lake that no receipt needs.

    These are files that killed stages left, snapshots that no receipt in the workspace or in DVC's cache names, and
    copies of input files that no run has used lately. Let no stage write longer than --days. Receipts of other clones
    count only once they are fetched.
    """
    from homei.pipeline.lake_cleaning import unused_files
    from homei.storage import remote_files

    storage = params.pick("storage").storage
    if not storage.is_external:
        raise click.ClickException("the lake is in the workspace, where DVC cares for it: run `dvc gc`")
    moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)
    unused = unused_files(storage.location(), Path.cwd(), moment, ignore_history)
    for file in unused:
        click.echo(file.uri)
    if remove:
        remote_files.remove(file.uri for file in unused)
    size = sum(file.bytes for file in unused) / 1e6
    done = "removed" if remove else "can be removed with --remove"
    click.echo(f"{len(unused)} files, {size:.1f} MB: {done}")
