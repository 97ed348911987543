"""A running service takes the model that was built or promoted since, without a request being dropped.

The record of the Bento to serve is looked at each second. What it names is hashed, checked and loaded in a thread; then
requests that come are handed to an app of its own, while those under way end with the one that they began with.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import State

from homei.model import manifest
from homei.serve.contract import Contract, differences, read
from homei.serve.direct import Direct
from homei.serve.intake import Intake
from homei.serve.predictor import Predictor
from homei.serve.request_ids import Message, Receive, Send
from homei.serve.writer import Complaint

SETTING = "HOMEI_FOLLOWS"  # the environment variable: JSON of the record's path, and of a Bento's with {tag} in it
PAUSE = 1.0
TAKEN, REFUSED, FAILED = "taken", "refused", "failed"

log = logging.getLogger("homei.serve")


class RefusedError(RuntimeError):
    """A model that a running service can't take: the message says why."""


class UnfinishedError(RuntimeError):
    """A Bento whose files are not, or not yet, those that its record says."""


class _Turn:
    """An app, and how many requests to it are under way."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.answer = Direct(app)
        self.under_way = 0


class Current:
    """An ASGI app that hands each request to the app whose turn it is when the request comes."""

    def __init__(self, app: FastAPI) -> None:
        self._turn = _Turn(app)
        self._lock = threading.Lock()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        with self._lock:
            turn = self._turn
            turn.under_way += 1
        try:
            await turn.answer(scope, receive, send)
        finally:
            with self._lock:
                turn.under_way -= 1

    def swap(self, fresh: FastAPI, predictor: Predictor, patience: float) -> None:
        """Has `fresh` answer by a predictor, with all else that the app before had; that one's predictor is let go.

        To be called from a thread: returns once the last request to the app before has ended, or after `patience`.
        """
        turn = self._turn
        state = turn.app.state
        fresh.state = State({**{name: state[name] for name in state}, "predictor": predictor})
        with self._lock:
            self._turn = _Turn(fresh)
        end = time.monotonic() + patience
        while turn.under_way and time.monotonic() < end:
            time.sleep(0.05)
        # An app is part of cycles, which may live long; a model is too large for that.
        state.predictor = None


class Follower:
    """Looks at a record, and has `take` put a newer model into use; `told` hears what came of each.

    `root` is the src/ of the Bento whose code runs; `bento` is where a Bento is, with {tag} for its tag.
    """

    def __init__(
        self,
        record: Path,
        bento: str,
        root: Path,
        contract: Contract,
        take: Callable[[Contract, Predictor], None],
        told: Callable[[str], None],
        load: Callable[[Path, Contract], Predictor] = Predictor.load,
        pause: float = PAUSE,
    ) -> None:
        self._record, self._bento, self._contract = record, bento, contract
        self._take, self._told, self._load, self._pause = take, told, load, pause
        self._running = manifest.hashes(root.parent)  # the files of the Bento whose code runs
        self._digest = manifest.total(self._running)  # of the Bento that answers
        self._seen: tuple[int, ...] = ()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._unfinished = Complaint()

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Ends; a model that is being loaded is left."""
        self._stopping.set()
        self._thread.join(self._pause)

    def look(self) -> None:
        """Takes what the record names, if that is another Bento than the one that answers and may take its place."""
        stamp = _stamp(self._record)
        if stamp in ((), self._seen):
            return
        try:
            recorded = json.loads(self._record.read_bytes())
            digest = manifest.total(recorded["files"])
            if digest != self._digest:
                self._follow(recorded, digest, stamp)
            self._seen = stamp
        except UnfinishedError as error:
            self._unfinished.tell("a newer model is not whole, and looked at again: %s", error)
        except RefusedError as error:
            self._seen = stamp
            self._told(REFUSED)
            log.error("model %s goes on; a newer one is refused: %s", self._contract.model_version, error)
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._unfinished.tell("%s can't be read, and is looked at again: %s", self._record, error)

    def _follow(self, recorded: dict[str, Any], digest: str, stamp: tuple[int, ...]) -> None:
        folder = Path(self._bento.replace("{tag}", recorded["tag"].replace(":", "/")))
        try:
            contract, predictor = self._loaded(folder, recorded["files"])
        except (UnfinishedError, RefusedError):
            raise
        except Exception as error:
            log.exception("%s can't be loaded", folder)
            self._told(FAILED)
            raise RefusedError("it can't be loaded") from error
        if _stamp(self._record) != stamp:
            raise UnfinishedError("there is a newer one already")
        before, self._contract, self._digest = self._contract, contract, digest
        self._take(contract, predictor)
        self._told(TAKEN)
        log.warning("model %s answers instead of %s", contract.model_version, before.model_version)

    def _loaded(self, folder: Path, files: dict[str, str]) -> tuple[Contract, Predictor]:
        if wrong := manifest.differences(files, folder, self._record):
            raise UnfinishedError(wrong[0])
        if not manifest.values_alike(self._running, files):
            raise RefusedError("its code values in another way; start the service again")
        contract = read(folder / "src", self._contract)
        if found := differences(self._contract, contract):
            raise RefusedError(f"it promises something else: {'; '.join(found)}; start the service again")
        predictor = self._load(folder / "src", contract)
        predictor.value([Intake(contract).one(json.dumps(contract.example).encode())], alone=True)
        return contract, predictor

    def _run(self) -> None:
        while not self._stopping.wait(self._pause):
            try:
                self.look()
            except Exception:
                log.exception("the model that answers can't be followed")


def setting(record: Path, bento: str) -> dict[str, str]:
    """The environment that has a service follow a record."""
    return {SETTING: json.dumps({"record": str(record), "bento": bento})}


def from_environment(
    root: Path, contract: Contract, take: Callable[[Contract, Predictor], None], told: Callable[[str], None]
) -> Follower | None:
    """The follower that the environment of `homei serve` asks for; None where it asks for none."""
    if not (given := os.environ.get(SETTING)):
        return None
    follows = json.loads(given)
    return Follower(Path(follows["record"]), follows["bento"], root, contract, take, told)


def _stamp(file: Path) -> tuple[int, ...]:
    """What changes whenever a file is replaced; empty where there is none."""
    try:
        found = file.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size
