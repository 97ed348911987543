"""The keys that sign tokens: a folder of private PEM files, one a key, named by its kid.

The key whose name sorts last signs; all of them are good for checking, until their files are gone. A name begins with
the time at which the key was made, so the newest one signs.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

FOLDER = "HOMEI_KEYS"  # the environment variable that names it
SUFFIX = ".pem"
KID = re.compile(r"[A-Za-z0-9_-]{1,64}")
LEAST_RSA_BITS = 2048


class UnusableKeyError(RuntimeError):
    """Keys that can't be used; the message names the file and the remedy, and never what is in it."""


@dataclass(frozen=True)
class Key:
    """One key: its algorithm follows from its kind alone, never from what a token says."""

    kid: str
    algorithm: str
    private: Ed25519PrivateKey | RSAPrivateKey
    public: Any


class Keyring(Mapping[str, Key]):
    """Keys by kid, in the order of their names."""

    def __init__(self, keys: Mapping[str, Key]) -> None:
        self._keys = dict(sorted(keys.items()))

    def __getitem__(self, kid: str) -> Key:
        return self._keys[kid]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def newest(self) -> Key:
        """The key that signs; raises UnusableKeyError where there is none."""
        if not self._keys:
            raise UnusableKeyError("there is no key left to sign tokens with: `homei key new` makes one")
        return next(reversed(self._keys.values()))


def folder() -> Path | None:
    """The folder that the environment names; None where it names none."""
    given = os.environ.get(FOLDER)
    return Path(given).expanduser() if given else None


def read(folder: Path) -> Keyring:
    """All keys of a folder; raises UnusableKeyError where there is none, or one that others may read."""
    if not folder.is_dir():
        raise UnusableKeyError(f"{FOLDER} names {folder}, which is no folder: `homei key new` makes it with a key")
    ring = Keyring({file.stem: read_key(file) for file in folder.glob(f"*{SUFFIX}")})
    if not ring:
        raise UnusableKeyError(f"{folder} holds no key (*{SUFFIX}): `homei key new` makes one")
    return ring


def read_key(file: Path) -> Key:
    """A private Ed25519 key (EdDSA), or an RSA key of 2,048 bits or more (RS256)."""
    if not KID.fullmatch(file.stem):
        raise UnusableKeyError(f"{file}: a key's name has at most 64 letters, digits, - and _")
    check_privacy(file)
    try:
        private = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnusableKeyError(f"{file} is no private key in PEM, or is locked by a password") from error
    if isinstance(private, Ed25519PrivateKey):
        return Key(file.stem, "EdDSA", private, private.public_key())
    if isinstance(private, RSAPrivateKey) and private.key_size >= LEAST_RSA_BITS:
        return Key(file.stem, "RS256", private, private.public_key())
    raise UnusableKeyError(f"{file} is neither an Ed25519 key nor an RSA key of {LEAST_RSA_BITS} bits or more")


def check_privacy(file: Path) -> None:
    """Raises UnusableKeyError for a file that others than its owner may read or write."""
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        raise UnusableKeyError(f"{file} has mode {mode:04o}, so others may read or change it: chmod 600 {file}")


def make(folder: Path, now: datetime.datetime) -> Key:
    """A new Ed25519 key in a file of its own that only its owner may read."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    fingerprint = hashlib.sha256(public).hexdigest()[:8]
    file = folder / f"{now.astimezone(datetime.UTC):%Y%m%dT%H%M%S%fZ}-{fingerprint}{SUFFIX}"
    text = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(text)
    return read_key(file)
