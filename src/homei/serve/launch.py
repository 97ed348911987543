"""`homei serve`: the packaged Bento on a port, after a look at its bytes."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import click

from homei import lake, params
from homei.assignment import CHALLENGER
from homei.model import champions, package
from homei.serve.access.launching import entrance
from homei.serve.cache.address import address as cache_address
from homei.serve.experiment import setting
from homei.serve.follow import setting as following
from homei.serve.logs import chosen as json_or_text
from homei.serve.opponents import opponents
from homei.serve.predictions.log import CHAMPION, DEFAULT, FOLDER, LATEST, VARIANT
from homei.serve.watch import logged
from homei.warehouse.connection import address


class LaunchError(RuntimeError):
    """A service that can't be started; the message says what to do."""


def launch(
    host: str = "127.0.0.1",
    port: int = 3000,
    champion: bool = False,
    certificate: Path | None = None,
    certificate_key: Path | None = None,
    experiment: bool = False,
) -> None:
    """Replaces this process by BentoML serving the recorded Bento, which is packaged anew where the store lacks it.

    Or that of the champion, which is restored where it isn't what was promoted; or in an experiment both. Raises
    LaunchError where the port is taken or the Bento isn't the recorded one, CacheError where the cache's address is
    none, UnsafeError where other machines could ask without a token, and UnfairError for an experiment that could tell
    nothing.
    """
    json_or_text(), logged()  # a setting that is wrong is told here, and not by a service that doesn't start
    cache_address(params.pick("serve").serve.cache)
    way_in = entrance(host, params.pick("publish").publish, certificate, certificate_key)
    _check_port(host, port)
    if experiment:
        bento, name, own = opposed()
    else:
        bento, name = champion_bento() if champion else recorded_bento()
        own = variant(champion) | followed(champion)
    click.echo(f"Serving {name} at {way_in.scheme}://{host}:{port} (docs at /docs); Ctrl+C ends it.")
    click.echo("\n".join(way_in.notes))
    sys.stdout.flush()
    command = [sys.executable, "-m", "bentoml", "serve", str(bento), "--host", host, "--port", str(port)]
    os.execve(sys.executable, [*command, *way_in.options], environment() | own | way_in.environment)


def checked_bento() -> Path:
    """The folder of the Bento that models/bento.json records, every byte of it as recorded."""
    if not package.bento_folder(package.recorded()["tag"]).is_dir():
        package.run(**vars(params.pick("source", "features", "package", "serve", "publish")))
    if differences := package.verify_bento():
        raise LaunchError("\n".join([*differences, "`dvc repro --force package` builds the Bento anew"]))
    return package.bento_folder(package.recorded()["tag"]).resolve()


def recorded_bento() -> tuple[Path, str]:
    """The folder of the Bento that was packaged last, and its tag."""
    return checked_bento(), package.recorded()["tag"]


def champion_bento() -> tuple[Path, str]:
    """The folder of the champion's Bento, every byte of it as promoted, and its version and tag.

    Services that follow the champion take it from now on.
    """
    version = champions.in_use()
    if version is None:
        raise LaunchError("there is no champion yet: `homei promote` makes what was built the first one")
    folder = champions.restore(version)
    champions.announce()
    tag = lake.read_json(folder / champions.RECORD)["tag"]
    return (folder / champions.BENTO).resolve(), f"{version.name} ({tag})"


def opposed() -> tuple[Path, str, dict[str, str]]:
    """The challenger's Bento, what is served beside what, and the environment in which it serves the champion too."""
    settings = params.pick("experiment").experiment
    (champion, its_name), (challenger, tag) = champion_bento(), recorded_bento()
    design = opponents(champion, challenger, settings)
    told = f"champion {its_name} and, for {design.share:.0%} of all by {design.unit}, challenger {tag}"
    return challenger, told, setting(design, champion) | {VARIANT: CHALLENGER}


def environment() -> dict[str, str]:
    """The environment that BentoML serves in: its home in the project, no telemetry, nothing written into the Bento.

    The service starts elsewhere: a warehouse in a file, and the folder of answers that wait, have their whole path.
    """
    folder = Path(os.environ.get(FOLDER) or DEFAULT)
    home = {"BENTOML_HOME": str(package.HOME.resolve()), FOLDER: str(folder.resolve()), **_warehouse()}
    return {**os.environ, **home, "BENTOML_DO_NOT_TRACK": "true", "PYTHONDONTWRITEBYTECODE": "1"}


def variant(champion: bool) -> dict[str, str]:
    """What the log of answers calls the model that answers."""
    return {VARIANT: CHAMPION if champion else LATEST}


def followed(champion: bool) -> dict[str, str]:
    """What a running service looks at for a newer model: the record of the champion in use, or of what was built."""
    if champion:
        return following(champions.IN_USE.resolve(), str((champions.FOLDER / champions.BENTO).resolve()))
    return following(package.RECORD.resolve(), str(package.HOME.resolve() / "bentos" / "{tag}"))


def _warehouse() -> dict[str, str]:
    publish = params.pick("publish").publish
    where = address(publish)
    if where.drivername != "sqlite":
        return {}  # the environment has it already
    return {publish.address: f"sqlite:///{Path(str(where.database)).resolve()}"}


def _check_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise LaunchError(
                f"can't listen on {host}:{port}: {error.strerror}; give another one with --port"
            ) from error
