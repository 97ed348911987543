"""What all sections of params.yaml share: they are typed, frozen and strict."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

Range = Annotated[tuple[float, float], Field(description="lowest and highest value allowed, both included")]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class UndeclaredError(RuntimeError):
    """A stage read a parameter that it does not declare, so that DVC would not notice its change."""


class ConfigModel(BaseModel):
    """A section of params.yaml, or a part of one."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", protected_namespaces=())

    def only(self, fields: Collection[str]) -> Self:
        """A copy with only these fields: to read another one raises UndeclaredError."""
        copy = self.model_copy()
        for name in type(self).model_fields.keys() - {*fields}:
            del copy.__dict__[name]
        return copy

    def __getattr__(self, name: str) -> Any:
        if name in type(self).model_fields:
            raise UndeclaredError(f"{type(self).__name__}.{name} is not declared in the stage's `params` in dvc.yaml")
        return super().__getattr__(name)
