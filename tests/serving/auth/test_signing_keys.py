"""Signing keys: which files are accepted, which key signs, and that only their owner can read them."""

import datetime
import stat
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from homei.serving.auth import signing_keys, tokens
from homei.serving.auth.signing_keys import UnusableKeyError

NOW = datetime.datetime(2026, 1, 31, 12, 0, 0, 123, datetime.UTC)


def write(folder, name, private, password=None):
    locked = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_bytes(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    file.chmod(0o600)
    return file


def test_only_the_owner_can_read_a_new_key_and_the_newest_signs(tmp_path):
    folder = tmp_path / "keys"
    made = [signing_keys.create_key(folder, NOW + datetime.timedelta(days=days)) for days in (1, 0, 2)]
    ring = signing_keys.read_keys(folder)
    assert len(ring) == 3
    assert ring.newest.kid == made[2].kid
    assert made[1].kid.startswith("20260131T120000000123Z-")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_rsa_keys_sign_with_rs256(tmp_path, contract):
    write(tmp_path / "keys", "of-the-house.pem", rsa.generate_private_key(65537, 2048))
    ring = signing_keys.read_keys(tmp_path / "keys")
    assert ring.newest.algorithm == "RS256"
    token = tokens.issue_token(ring.newest, contract.limits.access, "partner", ["predict"], time.time())
    assert tokens.verify_token(token, ring, contract.limits.access).client == "partner"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_that_other_users_may_read_or_change_is_refused(tmp_path, mode):
    signing_keys.create_key(tmp_path, NOW)
    (file,) = tmp_path.iterdir()
    file.chmod(mode)
    with pytest.raises(UnusableKeyError, match=f"has mode {mode:04o}.*chmod 600 {file}"):
        signing_keys.read_keys(tmp_path)


UNUSABLE = {
    "a short RSA key": lambda f: write(f, "k.pem", rsa.generate_private_key(65537, 1024)),
    "a key for another curve": lambda f: write(f, "k.pem", ec.generate_private_key(ec.SECP256R1())),
    "a key that is locked": lambda f: write(f, "k.pem", rsa.generate_private_key(65537, 2048), b"password"),
    "a name that is no kid": lambda f: write(f, "k 1.pem", rsa.generate_private_key(65537, 2048)),
    "no key": lambda f: f.mkdir(),
    "no folder": lambda f: None,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", UNUSABLE)
def test_the_error_names_the_path_of_an_unusable_key(tmp_path, name):
    UNUSABLE[name](tmp_path / "keys")
    with pytest.raises(UnusableKeyError, match=str(tmp_path / "keys")):
        signing_keys.read_keys(tmp_path / "keys")


def test_the_error_does_not_show_the_content_of_a_broken_key(tmp_path):
    file = tmp_path / "k.pem"
    file.write_text("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
    file.chmod(0o600)
    with pytest.raises(UnusableKeyError) as told:
        signing_keys.read_keys(tmp_path)
    assert "c2VjcmV0" not in str(told.value)
