"""The keys that sign tokens: a folder of private PEM files, each named by its key id (kid).

The last key by name signs, all of them verify. Names start with the time of creation, so the newest key signs.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import re
import stat
from collections import UserDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

FOLDER_VARIABLE = "HOMEI_KEYS"  # the environment variable with the folder
SUFFIX = ".pem"
KID = re.compile(r"[A-Za-z0-9_-]{1,64}")
MIN_RSA_BITS = 2048


class UnusableKeyError(RuntimeError):
    """A key that cannot be used; the message names the file and the remedy, never its content."""


@dataclass(frozen=True)
class SigningKey:
    """A private key and its algorithm, which follows from the key's type."""

    path: Path
    algorithm: str
    private: Ed25519PrivateKey | RSAPrivateKey

    @property
    def kid(self) -> str:
        return self.path.stem

    @property
    def public(self) -> Ed25519PublicKey | RSAPublicKey:
        return self.private.public_key()


class Keyring(UserDict[str, SigningKey]):
    """Keys by kid, in the order of their names."""

    def __init__(self, keys: Mapping[str, SigningKey]) -> None:
        super().__init__(sorted(keys.items()))

    @property
    def newest(self) -> SigningKey:
        """The key that signs; raises UnusableKeyError if there is none."""
        if not self.data:
            raise UnusableKeyError("no key is left to sign tokens: create one with `homei key new`")
        return next(reversed(self.data.values()))


def key_folder() -> Path | None:
    """The folder that the environment names; None if it names none."""
    path = os.environ.get(FOLDER_VARIABLE)
    return Path(path).expanduser() if path else None


def read_keys(folder: Path) -> Keyring:
    """All keys of a folder; raises UnusableKeyError if there is none, or one that other users may read."""
    if not folder.is_dir():
        raise UnusableKeyError(f"{FOLDER_VARIABLE}: {folder} is no folder: create it with `homei key new`")
    if not (keys := {path.stem: read_key(path) for path in folder.glob(f"*{SUFFIX}")}):
        raise UnusableKeyError(f"{folder} holds no key (*{SUFFIX}): create one with `homei key new`")
    return Keyring(keys)


def read_key(path: Path) -> SigningKey:
    """A private Ed25519 key (EdDSA), or an RSA key of at least 2,048 bits (RS256)."""
    if not KID.fullmatch(path.stem):
        raise UnusableKeyError(f"{path}: the name of a key has at most 64 letters, digits, - and _")
    check_file_mode(path)
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnusableKeyError(f"{path} is no private key in PEM format, or has a password") from error
    if isinstance(private, Ed25519PrivateKey):
        return SigningKey(path, "EdDSA", private)
    if isinstance(private, RSAPrivateKey) and private.key_size >= MIN_RSA_BITS:
        return SigningKey(path, "RS256", private)
    raise UnusableKeyError(f"{path} is neither an Ed25519 key nor an RSA key of {MIN_RSA_BITS} bits or more")


def check_file_mode(path: Path) -> None:
    """Raises UnusableKeyError if other users may read or write a file."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise UnusableKeyError(f"{path} has mode {mode:04o}, so other users may read or change it: chmod 600 {path}")


def create_key(folder: Path, now: datetime.datetime) -> SigningKey:
    """A new Ed25519 key, in a file that only its owner may read."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    private = Ed25519PrivateKey.generate()
    fingerprint = hashlib.sha256(private.public_key().public_bytes_raw()).hexdigest()[:8]
    path = folder / f"{now.astimezone(datetime.UTC):%Y%m%dT%H%M%S%fZ}-{fingerprint}{SUFFIX}"
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(pem)
    return read_key(path)
