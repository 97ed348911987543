"""What lies around the app, the outermost first: one order for the Bento and for whoever runs the app elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from homei.config import Serve
from homei.serve.access.doorkeeper import Doorkeeper
from homei.serve.access.gate import Gate
from homei.serve.access.loopback import LoopbackOnly
from homei.serve.access.routes import Routes
from homei.serve.app import BATCH
from homei.serve.limits import BodyLimit
from homei.serve.refusal import failure
from homei.serve.request_ids import App, Message, Receive, RequestIds, Send
from homei.serve.traffic import Traffic
from homei.serve.watch import Meter, Watch, logged

PROBES = frozenset({"/livez", "/readyz", "/healthz"})  # which BentoML answers


class Ours:
    """An ASGI app that has `ours` answer all but the probes, past what BentoML has before an app that it mounts."""

    def __init__(self, app: App, ours: App) -> None:
        self.app = app
        self.ours = ours

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        is_probe = scope["type"] != "http" or (scope["path"] in PROBES and scope["method"] in ("GET", "HEAD"))
        await (self.app if is_probe else self.ours)(scope, receive, send)


def layers(
    app: App, routes: Routes, limits: Serve, keeper: Doorkeeper | None, meter: Callable[[], Meter] = Meter
) -> list[tuple[type, dict[str, Any]]]:
    """Classes of ASGI apps and their options; each is around the next, the last one around BentoML's own app.

    A request has its name before anything can refuse it, and a place among those that are answered only once it may
    pass and is there as a whole: who sends slowly takes nobody's.
    """
    entry = (Gate, {"keeper": keeper, "routes": routes}) if keeper else (LoopbackOnly, {})
    answering = Traffic(app, limits.max_concurrency, limits.timeout)
    sizes = {"most": limits.max_body_bytes, "larger": {BATCH: limits.max_batch_bytes}}
    return [
        (RequestIds, {"fallen": failure}),
        (Watch, {"routes": routes, "meter": meter, "logged": logged()}),
        entry,
        (Ours, {"ours": BodyLimit(answering, seconds=limits.timeout / 2, **sizes)}),
    ]
