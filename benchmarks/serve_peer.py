"""The service's peers: what the Bento holds, without BentoML, for `benchmarks/serve.py` to compare it with.

`plain` is FastAPI as its manual writes it; `same` is the very app of the service. Both use the modules, the predictor
and the model of a request of the Bento, whose `src` is the current folder.
"""

from pathlib import Path

from fastapi import FastAPI

from homei.serving.app import create_app
from homei.serving.contract import read
from homei.serving.middleware.limits import BodyLimitMiddleware
from homei.serving.predictor import Predictor
from homei.serving.property_model import property_model, rows_of
from homei.serving.schemas import Valuation

PRICE = "/api/v1/predict/price"
contract = read(Path())
predictor = Predictor.load(Path(), contract)
Property = property_model(contract)

plain = FastAPI()
_app = create_app(contract)
_app.state.predictor = predictor
same = BodyLimitMiddleware(_app, contract.limits.max_body_bytes, contract.limits.timeout / 2)


@plain.post(PRICE)
async def price(home: Property) -> Valuation:
    return predictor.value(rows_of([home], contract))[0]
