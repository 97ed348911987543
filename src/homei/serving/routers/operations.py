"""Routes for operators: /metrics, /readyz, and / leads to /docs. BentoML answers /livez and /healthz."""

from __future__ import annotations

from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.responses import JSONResponse, RedirectResponse, Response

from homei.serving.auth.route_access import requires

router = APIRouter(include_in_schema=False)
# A thread of its own, so that /metrics answers while all other threads are busy.
_limiter = CapacityLimiter(1)


@router.get("/metrics", dependencies=[requires("admin")])
async def metrics() -> Response:
    """The metrics of this process for Prometheus."""
    return Response(await to_thread.run_sync(generate_latest, limiter=_limiter), media_type=CONTENT_TYPE_PLAIN_0_0_4)


@router.get("/readyz")
async def readiness(request: Request) -> Response:
    """200 while properties can be valued, with each capability; a restart does not bring a warehouse back."""
    state: Any = request.app.state
    has_model = getattr(state, "predictor", None) is not None
    capabilities = {
        "valuations": has_model and (state.auth is None or state.auth.can_authorise),
        "warehouse": has_model and await state.warehouse.is_available(),
    }
    if state.auth:
        capabilities["authentication"] = state.auth.is_ready
    is_ready = capabilities["valuations"]
    return JSONResponse({"ready": is_ready, "capabilities": capabilities}, 200 if is_ready else 503)


@router.get("/")
async def index() -> RedirectResponse:
    return RedirectResponse("/docs")
