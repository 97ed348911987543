"""Peers of the service for `benchmarks/serve.py`: the contents of the Bento without BentoML.

`plain` is a FastAPI app as in FastAPI's manual; `same` is the service's own app with its middleware. Both use the
modules, the predictor and the request model of the Bento, whose `src` is the current folder.
"""

from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from homei.serving.app import create_app, middleware_stack
from homei.serving.contract import read
from homei.serving.middleware.metrics import RequestMetrics
from homei.serving.predictor import Predictor
from homei.serving.property_model import property_model, rows_of
from homei.serving.schemas import Valuation

PRICE = "/api/v1/predict/price"
contract = read(Path())
predictor = Predictor.load(Path(), contract)
Property = property_model(contract)

plain = FastAPI()
app = create_app(contract)
app.state.predictor = predictor
same = app
for middleware in reversed(middleware_stack(app, contract.limits, None, RequestMetrics(CollectorRegistry()))):
    same = middleware.cls(same, *middleware.args, **middleware.kwargs)


@plain.post(PRICE, response_model_exclude_unset=True)
async def price(item: Property) -> Valuation:
    return predictor.value(rows_of([item], contract))[0]
