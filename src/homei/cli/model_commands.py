"""The commands `serve`, `sample` and `search`, which run outside the stage graph."""

from __future__ import annotations

from pathlib import Path

import click

from homei.config import params

PATH = click.Path(path_type=Path)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=3000, show_default=True, help="Port to listen on.")
@click.option("--champion", is_flag=True, help="Serve the champion instead of the last built model.")
@click.option(
    "--experiment", is_flag=True, help="Serve both; the challenger answers for experiment.share of the units."
)
@click.option("--certificate", type=PATH, envvar="HOMEI_CERTIFICATE", help="TLS certificate chain in PEM.")
@click.option(
    "--certificate-key",
    type=PATH,
    envvar="HOMEI_CERTIFICATE_KEY",
    help="Private key of the certificate in PEM, mode 600.",
)
def serve(
    host: str, port: int, champion: bool, experiment: bool, certificate: Path | None, certificate_key: Path | None
) -> None:
    """Start the HTTP service with the packaged Bento, the champion, or both.

    \b
    homei serve                           the last built model
    homei serve --champion                the champion
    homei serve --experiment              the champion, and the last built model for a share of the units

    If HOMEI_KEYS names a folder of signing keys, clients need tokens. Without keys, only this machine can connect.

    In an experiment a property (or client) always gets the same model, and each response names its variant. The
    section `experiment` in params/ holds share and salt. `homei abtest report` shows the result.
    """
    from homei.serving.launch import launch

    if champion and experiment:
        raise click.UsageError("--champion and --experiment exclude each other: give one of them")
    launch(host, port, champion, certificate, certificate_key, experiment)


@click.command()
@click.argument("number", metavar="N", type=click.IntRange(min=1))
@click.option(
    "--from", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="CSV or Parquet file."
)
@click.option("--by", "strata", help="Column for a stratified sample, proportional to the share of each value.")
@click.option("--month", help="Only valuations of this month, such as 2016-12.")
@click.option("--seed", type=int, help="Seed of the sample; default: the seed in params.yaml.")
def sample(number: int, file: Path | None, strata: str | None, month: str | None, seed: int | None) -> None:
    """Draw a random sample of N valuations for review by people.

    \b
    homei sample 50                      from the valuations of the hold-out
    homei sample 50 --by location        stratified by location
    homei sample 20 --from answers.csv   from a file of valuations with a column transaction_id or id

    Writes reports/review/sample.csv, with empty columns for the reviewer, and sample.json with the population and
    the seed. The same seed draws the same sample.
    """
    from homei.evaluation.review_sample import run

    click.echo(run(number, params.pick("seed").seed if seed is None else seed, file, strata, month))


@click.command()
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    help="Stop when the study has N trials; default: tuning.trials.",
    metavar="N",
)
@click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True), help="Start no trial after M minutes.", metavar="M"
)
@click.option(
    "--database",
    default="HOMEI_STUDY_DATABASE",
    show_default=True,
    metavar="NAME",
    help="Environment variable with the address of the study's database; if unset, a file in models/search/.",
)
@click.option(
    "--heartbeat",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="Interval of the heartbeat; the same for all processes of a study.",
)
def search(trials: int | None, minutes: float | None, database: str, heartbeat: int) -> None:
    """Tune the model's parameters with several processes or machines.

    \b
    homei search                          run until the study has tuning.trials trials
    homei search --minutes 20 & homei search --minutes 20        two processes on one study
    export HOMEI_STUDY_DATABASE='postgresql+psycopg://homei:…@db.example.com/studies'
    homei search --trials 200             the same command on each machine

    Processes with the same sales and training recipe share a study. Ctrl-C returns running trials to the study, and a
    new run continues it. Trials of a process that died are repeated after three heartbeats. The result depends on the
    timing of the processes, so it is not reproducible. The command prints the best parameters. Put them into
    params/model/, and `dvc repro` rebuilds the model byte for byte. Writes reports/search/search.html.
    """
    from homei.reporting.parallel_search_page import format_result, write
    from homei.training import parallel_search

    result = parallel_search.run(params.pick(*parallel_search.SECTIONS), trials, minutes, database, heartbeat)
    if result is None:
        raise click.ClickException(
            "the trial with the configured parameters is not complete yet: run the command again"
        )
    click.echo(format_result(result, write(result)))
