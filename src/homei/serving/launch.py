"""`homei serve`: checks the settings and the Bento, then runs BentoML with it."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import click

from homei.config import params
from homei.registry import champions, package
from homei.registry.variant_assignment import CHALLENGER
from homei.serving import feedback_queue
from homei.serving.auth.startup_checks import check_access
from homei.serving.cache.redis_address import address as cache_address
from homei.serving.experiment import experiment_environment
from homei.serving.experiment_checks import check_experiment
from homei.serving.logs import log_format
from homei.serving.middleware.metrics import log_requests_from_environment
from homei.serving.model_reload import follow_environment
from homei.serving.predictions import log
from homei.serving.predictions.log import CHAMPION, LATEST, VARIANT_VARIABLE
from homei.storage import lake
from homei.warehouse.connection import database_url


class LaunchError(RuntimeError):
    """A service that cannot be started; the message says what to do."""


def launch(
    host: str = "127.0.0.1",
    port: int = 3000,
    champion: bool = False,
    certificate: Path | None = None,
    certificate_key: Path | None = None,
    experiment: bool = False,
) -> None:
    """Replaces this process by BentoML with the last packaged Bento, the champion's, or both.

    A missing Bento is packaged or restored. Raises LaunchError if the port is taken or the Bento differs from its
    record, CacheError for an invalid cache address, UnsafeError if other machines could request without a token, and
    ExperimentError for an experiment without a result.
    """
    # A wrong setting is reported here, and not by a service that does not start.
    log_format()
    log_requests_from_environment()
    cache_address(params.pick("serve").serve.cache)
    access = check_access(host, params.pick("publish").publish, certificate, certificate_key)
    _check_port(host, port)
    if experiment:
        bento, name, settings = experiment_bento()
    else:
        bento, name = champion_bento() if champion else recorded_bento()
        settings = variant(champion) | reload_environment(champion)
    click.echo(f"Serving {name} at {access.scheme}://{host}:{port} (docs at /docs); Ctrl+C ends it.")
    click.echo("\n".join(access.notes))
    sys.stdout.flush()
    command = [sys.executable, "-m", "bentoml", "serve", str(bento), "--host", host, "--port", str(port)]
    os.execve(sys.executable, [*command, *access.options], environment() | settings | access.environment)


def checked_bento() -> Path:
    """The folder of the Bento that models/bento.json records, with every file as recorded."""
    if not package.bento_folder(package.read_record()["tag"]).is_dir():
        package.run(**vars(params.pick("city", "contract", "features", "package", "serve", "publish")))
    if differences := package.verify_bento():
        raise LaunchError("\n".join([*differences, "`dvc repro --force package` builds the Bento anew"]))
    return package.bento_folder(package.read_record()["tag"]).resolve()


def recorded_bento() -> tuple[Path, str]:
    """The folder of the Bento that was packaged last, and its tag."""
    return checked_bento(), package.read_record()["tag"]


def champion_bento() -> tuple[Path, str]:
    """The folder of the champion's Bento, with every file as promoted, and its version and tag.

    Running services that follow the champion load it.
    """
    version = champions.champion_in_use()
    if version is None:
        raise LaunchError("there is no champion yet: `homei promote` promotes the model that was built last")
    folder = champions.restore(version)
    champions.publish_champion()
    tag = lake.read_json(folder / champions.RECORD)["tag"]
    return (folder / champions.BENTO).resolve(), f"{version.name} ({tag})"


def experiment_bento() -> tuple[Path, str, dict[str, str]]:
    """The challenger's Bento, the names of both models, and the environment for serving both."""
    config = params.pick("experiment").experiment
    (champion, champion_name), (challenger, challenger_name) = champion_bento(), recorded_bento()
    design = check_experiment(champion, challenger, config)
    names = f"champion {champion_name} and, for {design.share:.0%} by {design.unit}, challenger {challenger_name}"
    return challenger, names, experiment_environment(design, champion) | {VARIANT_VARIABLE: CHALLENGER}


def environment() -> dict[str, str]:
    """The environment of BentoML: its home in the project, no telemetry, no files written into the Bento.

    BentoML changes the working directory, so paths are absolute.
    """
    defaults = {log.FOLDER_VARIABLE: log.DEFAULT_FOLDER, feedback_queue.FOLDER_VARIABLE: feedback_queue.DEFAULT_FOLDER}
    folders = {name: str(Path(os.environ.get(name) or default).resolve()) for name, default in defaults.items()}
    home = {"BENTOML_HOME": str(package.HOME.resolve()), **_warehouse()}
    return {**os.environ, **folders, **home, "BENTOML_DO_NOT_TRACK": "true", "PYTHONDONTWRITEBYTECODE": "1"}


def variant(champion: bool) -> dict[str, str]:
    """The name of the model in the prediction log."""
    return {VARIANT_VARIABLE: CHAMPION if champion else LATEST}


def reload_environment(champion: bool) -> dict[str, str]:
    """The record that a running service follows: of the champion, or of the Bento packaged last."""
    if champion:
        return follow_environment(champions.IN_USE.resolve(), str((champions.FOLDER / champions.BENTO).resolve()))
    return follow_environment(package.RECORD.resolve(), str(package.HOME.resolve() / "bentos" / "{tag}"))


def _warehouse() -> dict[str, str]:
    publish = params.pick("publish").publish
    url = database_url(publish)
    if url.drivername != "sqlite":
        return {}  # the environment has it already
    return {publish.address: f"sqlite:///{Path(str(url.database)).resolve()}"}


def _check_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise LaunchError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another port with --port"
            ) from error
