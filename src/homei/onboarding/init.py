"""`homei init`: a city's configuration drafted from files or from a table of a database."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from homei.config import params
from homei.ingestion.source_files import sha256
from homei.onboarding.city_guess import guess_city
from homei.onboarding.declaration import as_yaml, values
from homei.onboarding.draft import Answers, CityDraft, OnboardingError, Question
from homei.onboarding.guess_report import format_questions
from homei.onboarding.input_tables import InputTable, read_files
from homei.onboarding.words import NAMES
from homei.storage import lake

EXTERNAL = Path("data/external")
FORMAT_KEYS = (
    "format",
    "member",
    "delimiter",
    "encoding",
    "sheet",
    "header",
    "header_lines",
    "names",
    "footer",
    "records_at",
)
OTHER_KEYS = ("currency", "as_of", "title", "deed", "exclude", "attributes", "coordinates.system", "coordinates.unit")
Ask = Callable[[Question], str]


def declaration_path(name: str) -> Path:
    return params.GROUPS / "city" / f"{name}.yaml"


def draft_from_files(name: str, paths: Sequence[Path], answers: Answers, ask: Ask | None) -> CityDraft:
    """The draft of a city from files; raises OnboardingError or SourceError."""
    format_options = {
        key: _format_value(key, answer) for key in FORMAT_KEYS if (answer := answers.get(key)) is not None
    }
    return answered_draft(name, read_files(_checked_names(paths), format_options), answers, ask)


def answered_draft(name: str, tables: Sequence[InputTable], answers: Answers, ask: Ask | None) -> CityDraft:
    """A draft without questions left.

    `ask` answers them; without it, OnboardingError names the options that do.
    """
    draft = guess_city(name, tables, answers)
    answers.check_all_used([*NAMES, *OTHER_KEYS, *FORMAT_KEYS])
    while draft.questions:
        if ask is None:
            raise OnboardingError(
                "the data does not tell everything. Nothing was written; run the command again with the options that "
                f"answer:\n{format_questions(draft.questions)}"
            )
        replies = {question.key: ask(question) for question in draft.questions}
        answers = Answers({**answers.values, **replies})
        draft = guess_city(name, tables, answers)
    params.source(values(draft))
    return draft


def write(name: str, draft: CityDraft, paths: Sequence[Path], force: bool) -> Path:
    """Copies the files to data/external/NAME/ and writes params/city/NAME.yaml; returns its path.

    Raises OnboardingError if the YAML or another file of the same name exists, unless `force`.
    """
    target = declaration_path(name)
    if target.exists() and not force:
        raise OnboardingError(f"{target} exists: remove it, choose another name, or replace it with --force")
    folder = EXTERNAL / name
    copies = {path: folder / path.name for path in paths if path.resolve() != (folder / path.name).resolve()}
    for path, copy in copies.items():
        if copy.exists() and not force and sha256(copy) != sha256(path):
            raise OnboardingError(f"{copy} exists and differs from {path}: replace it with --force")
    for path, copy in copies.items():
        lake.replace_file(copy, lambda new, path=path: shutil.copyfile(path, new))
    lake.write_text(as_yaml(draft), target)
    return target


def parse_answers(pairs: Sequence[str], options: Mapping[str, str | None]) -> Answers:
    """The answers in `--set key=value` options and in options of their own."""
    answers = {key: value for key, value in options.items() if value is not None}
    for pair in pairs:
        key, mark, value = pair.partition("=")
        if not mark:
            raise OnboardingError(f"--set {pair}: write it as key=value, such as --set sale_date.format=%d/%m/%Y")
        answers[key.strip()] = value.strip() if key.strip() != "delimiter" else value
    return Answers(answers)


def _format_value(key: str, answer: str) -> object:
    if key in ("header", "header_lines"):
        if not answer.isdigit() or answer == "0":
            raise OnboardingError(
                f"--set {key}={answer}: must be the number of a line, from 1; a file without column names needs "
                "--set names=a,b,c"
            )
        return int(answer)
    if key == "names":
        return [name.strip() for name in answer.split(",")]
    return answer.replace("\\t", "\t") if key == "delimiter" else answer


def _checked_names(paths: Sequence[Path]) -> Sequence[Path]:
    """The paths; raises OnboardingError if two files have one name, since they are copied to one folder."""
    names = [path.name for path in paths]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise OnboardingError(
            f"several files are called {', '.join(repeated)}: rename them, since init copies all to one folder"
        )
    return paths
