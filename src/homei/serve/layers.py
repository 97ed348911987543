"""What lies around the app, the outermost first: one order for the Bento and for whoever runs the app elsewhere."""

from __future__ import annotations

from collections.abc import Callable

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
    """An ASGI app that has `ours` answer all but the probes."""

    def __init__(self, app: App, ours: App) -> None:
        self.app = app
        self.ours = ours

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        is_probe = scope["type"] != "http" or (scope["path"] in PROBES and scope["method"] in ("GET", "HEAD"))
        await (self.app if is_probe else self.ours)(scope, receive, send)


def layered(
    app: App, ours: App, routes: Routes, limits: Serve, keeper: Doorkeeper | None, meter: Callable[[], Meter] = Meter
) -> App:
    """`ours` with what lies around it; `app`, BentoML's own, answers the probes and what is no request.

    A request has its name before anything can refuse it, and a place among those that are answered only once it may
    pass and is there as a whole: who sends slowly takes nobody's.
    """
    answering = Traffic(ours, limits.max_concurrency, limits.timeout)
    sizes = {"most": limits.max_body_bytes, "larger": {BATCH: limits.max_batch_bytes}}
    inner: App = Ours(app, BodyLimit(answering, seconds=limits.timeout / 2, **sizes))
    entered = Gate(inner, keeper, routes) if keeper else LoopbackOnly(inner)
    return RequestIds(Watch(entered, routes, meter, logged()), failure)
