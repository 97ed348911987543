"""params.yaml: composed from the groups in params/ and read as checked sections."""

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

from homei.config.feeds import KINDS, AnyFeed, Source
from homei.config.sections import SECTIONS, section_class
from homei.config.source_checks import check as check_source

if TYPE_CHECKING:
    from omegaconf import DictConfig

FILE = Path("params.yaml")
GROUPS = Path("params")


class ParamsError(ValueError):
    """A wrong parameter; the message has its key, its value and the nearest valid choice."""


def compose(overrides: Sequence[str] = (), groups: Path = GROUPS) -> str:
    """The text of params.yaml: Hydra's composition of the groups with overrides such as `city=hdb`.

    Raises ParamsError if Hydra cannot compose them, or if a section is not valid.
    """
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        composed = _composed(overrides, groups)
        OmegaConf.resolve(composed)
    # A name as the index of a list is a TypeError.
    except (HydraException, OmegaConfBaseException, TypeError) as error:
        raise ParamsError(_explain_composition(str(error), overrides, groups)) from error
    # `dvc exp run` composes params.yaml by itself, through the same dumper: the same bytes either way.
    text = OmegaConf.to_yaml(composed)
    check(yaml.safe_load(text))
    return text


def check(values: Mapping[str, Any]) -> SimpleNamespace:
    """All sections of `values`, each checked; raises ParamsError naming every key that is wrong."""
    unknown = [
        f"{name}: there is no such section; did you mean {_nearest(name, SECTIONS)}?"
        for name in values
        if name not in SECTIONS
    ]
    missing = [f"{name}: this section is missing" for name in SECTIONS if name not in values]
    if unknown or missing:
        raise ParamsError("\n".join([*unknown, *missing]))
    return SimpleNamespace(**{name: section(name, values[name]) for name in SECTIONS} | source(values)._asdict())


def source(values: Mapping[str, Any]) -> Source:
    """The sections `city`, `feeds` and `contract` of `values`, each checked, and against each other."""
    checked = Source(*(section(name, values[name]) for name in Source._fields))
    try:
        check_source(checked)
    except ValueError as error:
        raise ParamsError(str(error)) from error
    return checked


def section(name: str, value: Any) -> Any:
    """One section, typed and frozen; raises ParamsError."""
    try:
        # Via JSON: strict JSON validation accepts a list as a tuple and a text as a date, as YAML has them.
        return TypeAdapter(section_class(name)).validate_json(json.dumps(value, default=str))
    except ValidationError as error:
        raise ParamsError("\n".join(_explain(name, problem, value) for problem in error.errors())) from error


def read(path: Path = FILE) -> dict[str, Any]:
    """The values in params.yaml, unchecked."""
    if not path.exists():
        raise ParamsError(f"{path} does not exist: run `homei compose` in the project's folder")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def pick(*names: str) -> SimpleNamespace:
    """The named sections of params.yaml as attributes, after a check of all sections."""
    enter_project()
    checked = check(read())
    return SimpleNamespace(**{name: getattr(checked, name) for name in names})


def enter_project() -> None:
    """Changes to the project's folder, to which all paths are relative: Jupyter starts in notebooks/."""
    here = Path.cwd()
    for folder in [here, *here.parents]:
        if (folder / FILE).exists():
            os.chdir(folder)
            return


def _explain(name: str, problem: Mapping[str, Any], section_value: Any) -> str:
    """A message for one of pydantic's errors: the key as in YAML, and the nearest valid choice."""
    keys, value = _keys_in_yaml(problem["loc"], section_value), problem["input"]
    place = ".".join([name, *keys])
    if problem["type"] == "extra_forbidden":
        fields = _fields(section_class(name), [str(key) for key in problem["loc"][:-1]])
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
    message = problem["msg"].removeprefix("Value error, ")
    # A whole feed would hide the message.
    shown = "" if isinstance(value, Mapping) else f" = {value!r}"
    return f"{place}{shown}: {message[0].lower()}{message[1:]}"


def _composed(overrides: Sequence[str], groups: Path) -> DictConfig:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    with initialize_config_dir(str(groups.resolve()), version_base=None):
        return hydra_compose("config", list(overrides))


def _explain_composition(message: str, overrides: Sequence[str], groups: Path) -> str:
    """A message for the override that Hydra refused, with the nearest valid choice."""
    for override in overrides:
        key, _, value = override.partition("=")
        choices = sorted(path.stem for path in (groups / key).glob("*.yaml"))
        if choices and value not in choices:
            return f"{key} = {value!r}: did you mean {_nearest(value, choices)}? (one of {', '.join(choices)})"
    chosen = [override for override in overrides if (groups / override.partition("=")[0]).is_dir()]
    for override in overrides:
        key, _, value = override.partition("=")
        node = _composed(chosen, groups)
        names = key.lstrip("+~").split(".")
        for depth, name in enumerate(names):
            if isinstance(node, Sequence) and not isinstance(node, str):
                if not name.isdigit() or int(name) >= len(node):
                    parent = ".".join(names[:depth])
                    return f"{key} = {value!r}: {parent} is a list; did you mean {parent}.0.{name}?"
                node = node[int(name)]
            elif not isinstance(node, Mapping):
                break
            elif name not in node:
                return f"{key} = {value!r}: there is no such key; did you mean {_nearest(name, node)}?"
            else:
                node = node[name]
    return message


def _quoted(choices: str) -> list[str]:
    """The choices in pydantic's text "'a', 'b' or 'c'"."""
    return [choice.strip("' ") for choice in choices.replace(" or ", ", ").split(",")]


def _keys_in_yaml(location: Sequence[str | int], value: Any) -> list[str]:
    """pydantic's location without the kind of a feed and without the index of a single feed."""
    keys, node = [], value
    for previous, key in zip([None, *location], location, strict=False):
        if isinstance(key, int) and isinstance(node, Mapping):
            continue
        if isinstance(previous, int) and isinstance(node, Mapping) and node.get("kind") == key:
            continue
        keys.append(str(key))
        is_inside = key in node if isinstance(node, Mapping) else isinstance(node, list) and isinstance(key, int)
        node = node[key] if is_inside else None
    return keys


def _fields(annotation: Any, keys: Sequence[str]) -> list[str]:
    """The field names of the model that `keys` lead to."""
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
