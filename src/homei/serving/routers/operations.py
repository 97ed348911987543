"""Routes for operators: /metrics, and / leads to /docs. BentoML itself answers the probes."""

from __future__ import annotations

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from homei.serving.auth.route_access import requires
from homei.serving.middleware.metrics import MEDIA_TYPE, latest_metrics

router = APIRouter(include_in_schema=False)
# A thread of its own, so that /metrics answers while all other threads are busy.
_limiter = CapacityLimiter(1)


@router.get("/metrics", dependencies=[requires("admin")])
async def metrics() -> Response:
    """The metrics of this process for Prometheus."""
    return Response(await to_thread.run_sync(latest_metrics, limiter=_limiter), media_type=MEDIA_TYPE)


@router.get("/")
async def index() -> RedirectResponse:
    return RedirectResponse("/docs")
