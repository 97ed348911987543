"""Loads a newly built or promoted model into a running service, without dropping a request.

A thread looks each second at the record of the Bento to serve. It checks and loads the Bento that the record names;
then `app.state.predictor` is replaced, while requests under way keep the predictor that they began with.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from homei.registry import bento_manifest
from homei.serving.contract import Contract, differences, read
from homei.serving.logs import LogThrottle
from homei.serving.predictor import Predictor
from homei.serving.property_model import property_model, rows_of

FOLLOW = "HOMEI_FOLLOWS"  # the environment variable: JSON of the record's path, and of a Bento's with {tag} in it
PAUSE_SECONDS = 1.0
TAKEN, REFUSED, FAILED = "taken", "refused", "failed"

log = logging.getLogger("homei.serve")


class RefusedError(RuntimeError):
    """A model that the running service cannot use; the message says why."""


class UnfinishedError(RuntimeError):
    """A Bento whose files are not, or not yet, those of its record."""


class ModelReloader:
    """Watches a record, and calls `use` with each newer model and `count` with the outcome.

    `root` is the src/ of the Bento whose code runs; `bento` is the path of a Bento with {tag} for its tag.
    """

    def __init__(
        self,
        record: Path,
        bento: str,
        root: Path,
        contract: Contract,
        use: Callable[[Contract, Predictor], None],
        count: Callable[[str], None],
        load: Callable[[Path, Contract], Predictor] = Predictor.load,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._record, self._bento, self._contract = record, bento, contract
        self._use, self._count, self._load, self._pause_seconds = use, count, load, pause_seconds
        self._running_files = bento_manifest.file_digests(root.parent)  # of the Bento whose code runs
        self._digest = bento_manifest.bento_digest(self._running_files)  # of the Bento whose model answers
        self._checked_stamp: tuple[int, ...] = ()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model-reload", daemon=True)
        self._throttle = LogThrottle(log)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; a model that is being loaded is dropped."""
        self._stopping.set()
        self._thread.join(self._pause_seconds)

    def check(self) -> None:
        """Loads the Bento of the record if it is another one than the one that answers."""
        stamp = _stamp(self._record)
        if stamp in ((), self._checked_stamp):
            return
        try:
            record = json.loads(self._record.read_bytes())
            tag, files = record["tag"], record["files"]
            if bento_manifest.bento_digest(files) != self._digest:
                self._reload(tag, files, stamp)
            self._checked_stamp = stamp
        except UnfinishedError as error:
            self._throttle.error("a newer model is incomplete, and checked again: %s", error)
        except RefusedError as error:
            self._checked_stamp = stamp
            self._count(REFUSED)
            log.error("model %s stays in use; a newer one is refused: %s", self._contract.model_version, error)
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._throttle.error("%s cannot be read, and is checked again: %s", self._record, error)
        except Exception:
            self._checked_stamp = stamp
            self._count(FAILED)
            log.exception("model %s stays in use; a newer one cannot be loaded", self._contract.model_version)

    def _reload(self, tag: str, files: dict[str, str], stamp: tuple[int, ...]) -> None:
        folder = Path(self._bento.replace("{tag}", tag.replace(":", "/")))
        if changed := bento_manifest.differences(files, folder, self._record):
            raise UnfinishedError(changed[0])
        if not bento_manifest.have_same_valuation_code(self._running_files, files):
            raise RefusedError("its code values in another way; start the service again")
        contract, predictor = self._load_checked(folder / "src")
        if _stamp(self._record) != stamp:
            raise UnfinishedError("the record has changed meanwhile")
        before, self._contract, self._digest = self._contract, contract, bento_manifest.bento_digest(files)
        self._use(contract, predictor)
        self._count(TAKEN)
        log.warning("model %s answers instead of %s", contract.model_version, before.model_version)

    def _load_checked(self, folder: Path) -> tuple[Contract, Predictor]:
        """The contract and the predictor, once it has valued the contract's example."""
        try:
            contract = read(folder, self._contract)
            if changed := differences(self._contract, contract):
                raise RefusedError(f"its contract is another one: {'; '.join(changed)}; start the service again")
            predictor = self._load(folder, contract)
            example = property_model(contract).model_validate(contract.example)
            predictor.value(rows_of([example], contract), alone=True)
        except RefusedError:
            raise
        except Exception as error:
            raise RuntimeError(f"{folder} cannot be loaded") from error
        return contract, predictor

    def _run(self) -> None:
        while not self._stopping.wait(self._pause_seconds):
            self.check()


def follow_environment(record: Path, bento: str) -> dict[str, str]:
    """The environment variables of a service that follows a record."""
    return {FOLLOW: json.dumps({"record": str(record), "bento": bento})}


def from_environment(
    root: Path, contract: Contract, use: Callable[[Contract, Predictor], None], count: Callable[[str], None]
) -> ModelReloader | None:
    """The reloader that the environment of `homei serve` asks for, if any."""
    if not (value := os.environ.get(FOLLOW)):
        return None
    paths = json.loads(value)
    return ModelReloader(Path(paths["record"]), paths["bento"], root, contract, use, count)


def _stamp(path: Path) -> tuple[int, ...]:
    """Changes whenever a file is replaced; empty where there is none."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size
