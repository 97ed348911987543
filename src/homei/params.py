"""params.yaml: composed from the groups in params/, read back as checked sections."""

from __future__ import annotations

import difflib
import json
import os
import pkgutil
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from homei.config import SECTIONS
from homei.source import KINDS, AnyFeed

if TYPE_CHECKING:
    from omegaconf import DictConfig

FILE = Path("params.yaml")
GROUPS = Path("params")


class ParamsError(ValueError):
    """A parameter that is wrong: the message names the key, the value and what would be right."""


def compose(overrides: Sequence[str] = (), groups: Path = GROUPS) -> str:
    """The text of params.yaml: Hydra's composition of the groups with overrides such as `source=hdb`.

    Raises ParamsError where Hydra can't compose, or where the result is not what the sections allow.
    """
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        composed = _composed(overrides, groups)
        OmegaConf.resolve(composed)
    # A name where a list has numbers is a TypeError.
    except (HydraException, OmegaConfBaseException, TypeError) as error:
        raise ParamsError(_explain_composition(str(error), overrides, groups)) from error
    # `dvc exp run` composes params.yaml by itself, through the same dumper: the same bytes either way.
    text = OmegaConf.to_yaml(composed)
    check(yaml.safe_load(text))
    return text


def check(values: Mapping[str, Any]) -> SimpleNamespace:
    """All sections of `values`, each checked; raises ParamsError naming every key that is wrong."""
    strays = [
        f"{name}: there is no such section; did you mean {_nearest(name, SECTIONS)}?"
        for name in values
        if name not in SECTIONS
    ]
    missing = [f"{name}: this section is missing" for name in SECTIONS if name not in values]
    if strays or missing:
        raise ParamsError("\n".join([*strays, *missing]))
    return SimpleNamespace(**{name: section(name, values[name]) for name in SECTIONS})


def section(name: str, value: Any) -> Any:
    """One section, typed and frozen; raises ParamsError."""
    try:
        # Through JSON: there a strict reading takes a list for a tuple and a text for a date, as YAML gives them.
        return TypeAdapter(SECTIONS[name]).validate_json(json.dumps(value, default=str))
    except ValidationError as error:
        raise ParamsError("\n".join(_explain(name, problem, value) for problem in error.errors())) from error


def read(path: Path = FILE) -> dict[str, Any]:
    """What params.yaml holds, unchecked."""
    if not path.exists():
        raise ParamsError(f"{path} is not there: run `homei compose` in the project's folder")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def pick(*names: str, given: Mapping[str, Any] | None = None) -> SimpleNamespace:
    """The named sections as attributes, checked: those `given` to a notebook by the graph, or else params.yaml's."""
    if given:
        return SimpleNamespace(**{name: section(name, given[name]) for name in names})
    _enter_project()
    checked = check(read())
    return SimpleNamespace(**{name: getattr(checked, name) for name in names})


def _enter_project() -> None:
    """Goes to the project's folder, as all paths are relative to it: Jupyter starts a kernel beside its notebook."""
    here = Path.cwd()
    for folder in [here, *here.parents]:
        if (folder / FILE).exists():
            os.chdir(folder)
            return


def _explain(name: str, problem: Mapping[str, Any], given: Any) -> str:
    keys, value = _keys_as_given(problem["loc"], given), problem["input"]
    place = ".".join([name, *keys])
    if problem["type"] == "extra_forbidden":
        fields = _fields(SECTIONS[name], [str(key) for key in problem["loc"][:-1]])
        return f"{place}: there is no such key; did you mean {_nearest(keys[-1], fields)}?"
    if problem["type"] == "missing":
        return f"{place}: this key is missing"
    if problem["type"] == "union_tag_not_found":
        return f"{place}.kind: this key is missing"
    if problem["type"] == "union_tag_invalid":
        kind, kinds = problem["ctx"]["tag"], _quoted(problem["ctx"]["expected_tags"])
        return f"{place}.kind = {kind!r}: did you mean {_nearest(kind, kinds)}? (one of {', '.join(kinds)})"
    if problem["type"] == "value_error" and not keys:
        return f"{name}.{problem['ctx']['error']}"
    if problem["type"] == "literal_error":
        choices = _quoted(problem["ctx"]["expected"])
        return f"{place} = {value!r}: did you mean {_nearest(str(value), choices)}? (one of {', '.join(choices)})"
    told = problem["msg"].removeprefix("Value error, ")
    return f"{place} = {value!r}: {told[0].lower()}{told[1:]}"


def _composed(overrides: Sequence[str], groups: Path) -> DictConfig:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    with initialize_config_dir(str(groups.resolve()), version_base=None):
        return hydra_compose("config", list(overrides))


def _explain_composition(message: str, overrides: Sequence[str], groups: Path) -> str:
    for override in overrides:
        key, _, value = override.partition("=")
        choices = sorted(path.stem for path in (groups / key).glob("*.yaml"))
        if choices and value not in choices:
            return f"{key} = {value!r}: did you mean {_nearest(value, choices)}? (one of {', '.join(choices)})"
    chosen = [override for override in overrides if (groups / override.partition("=")[0]).is_dir()]
    for override in overrides:
        key, _, value = override.partition("=")
        known = _composed(chosen, groups)
        names = key.lstrip("+~").split(".")
        for place, name in enumerate(names):
            if isinstance(known, Sequence) and not isinstance(known, str):
                numbers = [str(number) for number in range(len(known))]
                if name not in numbers:
                    here = ".".join(names[:place])
                    return f"{key} = {value!r}: {here} is a list; did you mean {here}.{numbers[0]}.{name}?"
                known = known[int(name)]
                continue
            if not isinstance(known, Mapping):
                break
            if name not in known:
                return f"{key} = {value!r}: there is no such key; did you mean {_nearest(name, known)}?"
            known = known[name]
    return message


def _quoted(told: str) -> list[str]:
    """The choices that pydantic tells as "'a', 'b' or 'c'"."""
    return [choice.strip("' ") for choice in told.replace(" or ", ", ").split(",")]


def _keys_as_given(place: Sequence[str | int], given: Any) -> list[str]:
    """The keys of a place as YAML has them: without the kind of a feed, nor the number of one that stands alone."""
    keys, here = [], given
    for before, key in zip([None, *place], place, strict=False):
        if isinstance(key, int) and isinstance(here, Mapping):
            continue
        if isinstance(before, int) and isinstance(here, Mapping) and here.get("kind") == key:
            continue
        keys.append(str(key))
        inside = key in here if isinstance(here, Mapping) else isinstance(here, list) and isinstance(key, int)
        here = here[key] if inside else None
    return keys


def _fields(annotation: Any, keys: Sequence[str]) -> list[str]:
    """The field names of the model that `keys` lead to, through dictionaries, lists, unions and kinds of feeds."""
    kind = annotation
    for key in [*keys, None]:
        if kind is AnyFeed:
            kind = pkgutil.resolve_name(KINDS[key])
            continue
        while not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            kind = next((part for part in reversed(typing.get_args(kind)) if part is not type(None)), None)
            if kind is None:
                return []
            if key is not None and not (isinstance(kind, type) and issubclass(kind, BaseModel)):
                break
        else:
            if key is not None and key in kind.model_fields:
                kind = kind.model_fields[key].annotation
            elif key is None:
                return list(kind.model_fields)
    return []


def _nearest(word: str, choices: Any) -> str:
    return next(iter(difflib.get_close_matches(word, list(choices), n=1, cutoff=0.0)), "a known key")
