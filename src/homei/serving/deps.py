"""What routes share, as FastAPI dependencies; the objects themselves are on `app.state`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Depends, Request

from homei.serving.auth.context import AuthContext
from homei.serving.auth.middleware import client_of
from homei.serving.cache.service import Cache
from homei.serving.experiment import Models
from homei.serving.feedback_queue import FeedbackQueue
from homei.serving.micro_batching import MicroBatcher
from homei.serving.predictions.log import PredictionLog
from homei.serving.problem_details import Problem, ProblemError, shown
from homei.serving.request_bodies import similar_name
from homei.serving.warehouse_client import WarehouseClient

MAX_QUERY_PARAMETERS = 100


def app_state(name: str) -> Callable[[Request], Coroutine[Any, Any, Any]]:
    """The dependency that returns `app.state.<name>`."""

    async def get(request: Request) -> Any:  # a coroutine, since FastAPI calls plain functions in a thread
        return getattr(request.app.state, name)

    return get


async def get_client(request: Request) -> str | None:
    """The name of the authenticated client; None in a service without tokens."""
    return client_of(request.scope)


AuthDep = Annotated[AuthContext | None, Depends(app_state("auth"))]
PredictorDep = Annotated[Models, Depends(app_state("predictor"))]
ClientDep = Annotated[str | None, Depends(get_client)]
WarehouseDep = Annotated[WarehouseClient, Depends(app_state("warehouse"))]
CacheDep = Annotated[Cache | None, Depends(app_state("cache"))]
PredictionLogDep = Annotated[PredictionLog | None, Depends(app_state("prediction_log"))]
FeedbackQueueDep = Annotated[FeedbackQueue | None, Depends(app_state("feedback_queue"))]
BatcherDep = Annotated[MicroBatcher, Depends(app_state("batcher"))]


async def check_query_string(request: Request) -> None:
    """Refuses what FastAPI accepts: unknown and repeated parameters, and bytes that are not UTF-8."""
    query = request.scope["query_string"].decode("latin-1")
    parameters = _query_parameters(request) if query else None
    if parameters is None:
        return
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_PARAMETERS)
    except UnicodeDecodeError:
        raise ProblemError(422, [Problem("query", "should be percent-encoded UTF-8")]) from None
    except ValueError:
        raise ProblemError(422, [Problem("query", f"should hold at most {MAX_QUERY_PARAMETERS} parameters")]) from None
    names = [name for name, _ in pairs]
    problems = []
    for name in dict.fromkeys(names):
        if name not in parameters:
            problems.append(Problem(shown(name), f"there is no such parameter{similar_name(name, parameters)}"))
        elif names.count(name) > 1 and not parameters[name]:
            problems.append(Problem(shown(name), "should be given once"))
    if problems:
        raise ProblemError(422, problems)


def _query_parameters(request: Request) -> dict[str, bool] | None:
    """The query parameters of a request's route, and whether they may be repeated; None if undocumented."""
    path = request.app.openapi()["paths"].get(request.scope["route"].path_format, {})
    operation = path.get(request.method.lower())
    if operation is None:
        return None
    in_query = [parameter for parameter in operation.get("parameters", ()) if parameter["in"] == "query"]
    return {parameter["name"]: parameter["schema"].get("type") == "array" for parameter in in_query}
