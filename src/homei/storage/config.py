"""Configuration of the lake: large tables in the workspace, in another folder or on S3."""

from __future__ import annotations

import os
import re
from typing import Literal

from homei.config.model import ConfigModel


class LakeError(ValueError):
    """The lake's address is missing or not one of a folder or of S3."""


class StorageConfig(ConfigModel):
    uri: str | None
    uri_env: str | None
    encryption: Literal["AES256", "aws:kms"] | None

    @property
    def is_external(self) -> bool:
        """Whether large tables are outside the workspace; stages then compute them in Spark."""
        return self.uri is not None or self.uri_env is not None

    def location(self) -> str:
        """The lake's URI without a slash at its end; raises LakeError."""
        uri = self.uri or os.environ.get(self.uri_env or "")
        if not uri:
            raise LakeError(
                f"{self.uri_env} is not set: export it with the lake's URI, s3://bucket/prefix or file:///folder, "
                "or choose lake=workspace"
            )
        if not re.match("s3://[^/]|file:///[^/]", uri):
            raise LakeError(
                f"storage.uri = {uri!r}: is not a URI of S3 (s3://bucket/prefix) or of a folder (file:///folder)"
            )
        return uri.rstrip("/")
