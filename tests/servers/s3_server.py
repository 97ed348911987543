"""A real S3 server on loopback (versitygw, which `make parts` builds): it checks signatures and keeps files."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
from project_copy import free_port

from homei.config import tool_folders

REGION = "us-east-1"


def binary() -> str | None:
    built = (place / "versitygw" for place in tool_folders.places(tool_folders.SERVERS))
    return next((str(path) for path in built if path.is_file()), None) or shutil.which("versitygw")


class S3Server:
    """A server on a free port; `environment` contains what clients need: its address and credentials."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen | None = None
        self.port = free_port()
        self._buckets = 0
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "homei-tests",
            "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(16),
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
        }

    def start(self) -> None:
        access = {"ROOT_ACCESS_KEY": self.environment["AWS_ACCESS_KEY_ID"]}
        access["ROOT_SECRET_KEY"] = self.environment["AWS_SECRET_ACCESS_KEY"]
        command = [binary(), "--quiet", "--region", REGION, "--port", f"127.0.0.1:{self.port}"]
        command += ["posix", "--sidecar", self._folder / "metadata", self._folder / "data"]
        for name in ("data", "metadata"):
            (self._folder / name).mkdir(exist_ok=True)
        with (self._folder / "log").open("a") as log:
            self._process = subprocess.Popen(list(map(str, command)), env=access, stdout=log, stderr=log)
        end = time.monotonic() + 20
        while not self._listens():
            assert time.monotonic() < end, f"versitygw doesn't start: {(self._folder / 'log').read_text()}"
            time.sleep(0.02)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def create_bucket(self) -> Bucket:
        """A new and empty bucket."""
        self._buckets += 1
        bucket = Bucket(f"bucket-{self._buckets}", self)
        bucket.client.create_bucket(Bucket=bucket.name)
        return bucket

    def client(self) -> Any:
        """An S3 client of botocore."""
        return botocore.session.get_session().create_client(
            "s3",
            region_name=REGION,
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Bucket:
    """A bucket; `url` is its address for homei and DVC."""

    def __init__(self, name: str, server: S3Server) -> None:
        self.name, self.server = name, server
        self.url = f"s3://{name}"
        self.client = server.client()

    def keys(self, prefix: str = "") -> list[str]:
        """The keys of all objects whose key starts with a prefix."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


@contextlib.contextmanager
def running() -> Iterator[S3Server]:
    with tempfile.TemporaryDirectory() as folder:
        server = S3Server(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
