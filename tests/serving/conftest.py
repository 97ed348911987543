"""A server on loopback: the real app and predictor, with a market and a model of plain arithmetic."""

import contextlib
import datetime
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import bentos
import httpx
import numpy as np
import pytest
import warehouses
import yaml
from build_cache import copy_of
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from live_server import cache_from_environment, complete_app, live_server

from homei.config import params
from homei.serving.contract import Contract
from homei.serving.predictor import Predictor
from homei.training.applicability import Applicability
from homei.training.contributions import Contributions
from homei.training.estimators import UnexplainedError
from homei.warehouse.config import PublishConfig

GROUPS = Path(__file__).parents[2] / "params"
LAST_MONTH = 2026 * 12  # January 2026
ACCESS = {
    "issuer": "homei", "audience": "town", "token_seconds": 60, "leeway_seconds": 1, "requests_per_second": 500,
    "rows_per_request": 10, "max_failures": 5, "lock_seconds": 60,
}  # fmt: skip


CACHE = {"address_variable": "HOMEI_CACHE", "expire_seconds": 60, "max_entries": 100, "max_entry_bytes": 20_000}


class Market:
    """Prices that rise by one per cent a month."""

    def features(self, columns):
        nowhere = np.isin(columns["location"].astype(str), ["nowhere", "HARBOUR"])
        return {
            "market_level": 8.0 + 0.01 * (columns["month"] - LAST_MONTH),
            "comparable_distance": np.where(nowhere, np.nan, 0.5),
            "alike_distance": np.where(columns["floor"] > 30, 9.0, 0.1),
        }

    def is_prepared(self, month):
        return True

    def comparables(self, columns, count):
        sold = {
            "transaction_id": "t1", "sale_date": "2025-11-03", "price": 190_000.0, "location": "harbour",
            "square_meters": 70.0, "floor": None, "year_built": 1990.0, "distance": 35.5, "likeness": 0.21,
            "adjusted_price": 201_000.5,
        }  # fmt: skip
        return [[sold] * (count - 1) for _ in columns["month"]]


class Model:
    """A price by area and market, wide outside the harbour; it cannot explain a single house."""

    applicability = Applicability(
        {"harbour": 90, "hill": 30, "ridge": 0},  # training sales
        {"flat": 90, "house": 30},
        {"flat": (20.0, 300.0)},
        params.section("applicability", yaml.safe_load((GROUPS / "config.yaml").read_text())["applicability"]),
    )

    def value(self, columns):
        price = np.round(np.exp(columns["market_level"]) * columns["square_meters"], 2)
        deviation = np.where(columns["location"] == "harbour", 0.05, 0.2)
        return SimpleNamespace(
            price=price,
            low=np.round(price * (1 - deviation), 2),
            high=np.round(price * (1 + deviation), 2),
            deviation=deviation,
            flags=self.applicability.flags(columns),
        )

    def contributions(self, columns):
        if columns["property_type"].tolist() == ["house"]:
            raise UnexplainedError("a Model doesn't tell what each input contributes")
        added = np.log(columns["square_meters"] / 50)
        parts = np.column_stack([np.zeros_like(added), 0.25 * added, 0.75 * added - 0.01, np.full_like(added, 0.01)])
        return Contributions(
            ("floor", "square_meters", "log_area", "latitude"), np.log(50) + columns["market_level"], parts
        )


@pytest.fixture(scope="session")
def contract() -> Contract:
    return Contract.model_validate(
        {
            "name": "valuation",
            "title": "A town",
            "currency": "EUR",
            "as_of": "2025-12-31",
            "model_version": "0123456789ab",
            "data_version": "ba9876543210",
            "level": 0.9,
            "months": [LAST_MONTH - 12, LAST_MONTH],
            "property_types": ["flat", "house"],
            "ranges": {"square_meters": [10, 500], "latitude": [44, 46], "longitude": [-31, -29], "plot": [0, 9]},
            "numeric": ["plot"],
            "categorical": ["heating"],
            "example": {"square_meters": 70.5, "property_type": "flat", "location": "harbour"},
            "limits": {
                "max_batch_rows": 50,
                "max_body_bytes": 100_000,
                "max_batch_bytes": 200_000,
                "max_concurrency": 8,
                "max_batches": 8,
                "max_bytes_in_flight": 1_000_000,
                "timeout_seconds": 4,
                "store_predictions": True,
                "access": ACCESS,
                "cache": CACHE,
            },
            "coordinates": {"system": "wgs84", "origin": [45.0, -30.0]},
            "warehouse": {"address": "HOMEI_WAREHOUSE", "file": "data/warehouse/homei.db"},
        },
        strict=False,
    )


@pytest.fixture(scope="session")
def predictor(contract) -> Predictor:
    return Predictor(contract, Market(), Model())


@pytest.fixture(scope="session")
def server(contract, predictor) -> Iterator[str]:
    with live_server(complete_app(contract, predictor)) as url:
        yield url


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def warehouse(request, tmp_path_factory) -> Iterator[PublishConfig]:
    """A published warehouse of each kind."""
    settings = PublishConfig(address=f"HOMEI_WAREHOUSE_{request.param.upper()}", file="")
    with contextlib.ExitStack() as stack:
        if request.param == "sqlite":
            address = f"sqlite:///{tmp_path_factory.mktemp('warehouse') / 'homei.db'}"
        else:
            address = stack.enter_context(request.getfixturevalue("postgresql")()).url
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv(settings.address, address)
        warehouses.publish(settings)
        yield settings


@pytest.fixture(scope="session")
def reader(contract, predictor, warehouse) -> Iterator[httpx.Client]:
    """A client of a service with a published warehouse, and a cache in memory."""
    with (
        live_server(complete_app(contract, predictor, warehouse, cache_from_environment(contract))) as url,
        httpx.Client(base_url=url, timeout=30) as opened,
    ):
        yield opened


@pytest.fixture(scope="session")
def serving():
    """Runs an app on loopback for the length of a block, and gives its address."""
    return live_server


@pytest.fixture
def client(server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, timeout=30) as opened:
        yield opened


@pytest.fixture(scope="session")
def certify():
    """Makes a certificate for localhost, and its key, in a folder."""
    return _certify


def _certify(folder, name="site"):
    now = datetime.datetime.now(datetime.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    pem, whole = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    certificate, private = folder / f"{name}.crt", folder / f"{name}.key"
    certificate.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(pem))
    private.write_bytes(key.private_bytes(pem, whole, serialization.NoEncryption()))
    private.chmod(0o600)
    return certificate, private


@pytest.fixture(scope="session")
def packaged(tmp_path_factory) -> Path:
    """A project with a Bento."""
    return copy_of("bento", bentos.INPUTS, bentos.build, tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def away(packaged, tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """A copy of the Bento, and an environment in which the repository's homei cannot be imported."""
    return bentos.copied(packaged, tmp_path_factory.mktemp("elsewhere"))


@pytest.fixture(scope="session")
def bento_url(away) -> Iterator[str]:
    """The address at which BentoML serves that copy, without keys and warehouse."""
    # On every address, as BentoML's own command does it: an open service must see to it that only loopback is answered.
    with bentos.answering(away, "0.0.0.0") as url:
        yield url
