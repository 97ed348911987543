"""What routes share, as FastAPI dependencies; the objects themselves are on `app.state`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from homei.serving.auth.middleware import client_of
from homei.serving.cache.service import Cache
from homei.serving.contract import Contract
from homei.serving.experiment import Models
from homei.serving.micro_batching import MicroBatcher
from homei.serving.predictions.log import PredictionLog
from homei.serving.warehouse_client import WarehouseClient

# They are coroutines, since FastAPI calls plain functions in a thread.


async def get_predictor(request: Request) -> Models:
    return request.app.state.predictor


async def get_contract(request: Request) -> Contract:
    return request.app.state.contract


async def get_client(request: Request) -> str | None:
    """The name of the authenticated client; None in a service without tokens."""
    return client_of(request.scope)


async def get_warehouse(request: Request) -> WarehouseClient:
    return request.app.state.warehouse


async def get_cache(request: Request) -> Cache | None:
    return request.app.state.cache


async def get_prediction_log(request: Request) -> PredictionLog | None:
    return request.app.state.prediction_log


async def get_batcher(request: Request) -> MicroBatcher:
    return request.app.state.batcher


PredictorDep = Annotated[Models, Depends(get_predictor)]
ContractDep = Annotated[Contract, Depends(get_contract)]
ClientDep = Annotated[str | None, Depends(get_client)]
WarehouseDep = Annotated[WarehouseClient, Depends(get_warehouse)]
CacheDep = Annotated[Cache | None, Depends(get_cache)]
PredictionLogDep = Annotated[PredictionLog | None, Depends(get_prediction_log)]
BatcherDep = Annotated[MicroBatcher, Depends(get_batcher)]
