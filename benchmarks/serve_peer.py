"""The service's peers: what the Bento holds, without BentoML, for `benchmarks/serve.py` to compare it with.

`plain` is FastAPI as its manual writes it; `same` is the very app of the service. Both use the modules, the predictor
and the model of a request of the Bento, whose `src` is the current folder.
"""

from pathlib import Path

from fastapi import FastAPI

from homei.serve.app import PRICE, create_app
from homei.serve.contract import read
from homei.serve.direct import Direct
from homei.serve.intake import property_model
from homei.serve.limits import BodyLimit
from homei.serve.predictor import Predictor
from homei.serve.schemas import Valuation

contract = read(Path())
predictor = Predictor.load(Path(), contract)
Property = property_model(contract)

plain = FastAPI()
_app = create_app(contract)
_app.state.predictor = predictor
same = BodyLimit(Direct(_app), contract.limits.max_body_bytes, seconds=contract.limits.timeout / 2)


@plain.post(PRICE)
async def price(home: Property) -> Valuation:
    return predictor.value([vars(home)])[0]
