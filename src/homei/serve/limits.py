"""How much a client may send, and how long it may take: checked while the body arrives, before anything reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from homei.serve.refusal import Problem, RequestError, answer
from homei.serve.request_ids import App, Message, Receive, Send

# A client that is still sending can't read its refusal; up to this many times the limit is read and dropped first.
PATIENCE = 8
CLOSING = {"connection": "close"}
BUSY = {"retry-after": "1", **CLOSING}
# Of all bodies that are arriving, together. By bytes, not by number: a crowd that sends slowly keeps nobody out.
MOST_ARRIVING = 256 << 20


class BodyLimit:
    """An ASGI app around `app` that answers 413 to a body of more than `most` bytes and 408 to one that stalls.

    A path in `larger` has a limit of its own. It holds no more of a body than that, and hands it on in one piece. Where
    all that are arriving would be more than `arriving` bytes, the next piece's request is answered with 503.
    """

    def __init__(
        self,
        app: App,
        most: int,
        seconds: float,
        larger: Mapping[str, int] | None = None,
        arriving: int = MOST_ARRIVING,
    ) -> None:
        self.app = app
        self.most = most
        self.larger = larger or {}
        self.seconds = seconds
        self._room = arriving

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            return await self.app(scope, receive, send)
        try:
            async with asyncio.timeout(self.seconds):
                body = await self._body(dict(scope["headers"]), receive, self.larger.get(scope["path"], self.most))
        except TimeoutError:
            late = RequestError(408, [Problem("body", f"did not arrive within {self.seconds:g} s")], CLOSING)
            return await answer(scope, late)(scope, receive, send)
        except RequestError as refused:
            return await answer(scope, refused)(scope, receive, send)
        if body is None:
            # Nobody reads it, but what is counted and recorded of a request is its answer.
            gone = RequestError(400, [Problem("body", "broke off")], CLOSING)
            return await answer(scope, gone)(scope, receive, send)
        return await self.app(scope, _handing_on(body, receive), send)

    async def _body(self, headers: dict[bytes, bytes], receive: Receive, most: int) -> bytes | None:
        declared = headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared[:20]) > most and b"expect" in headers:
            raise _too_large(most)  # it asks before it sends
        chunks, size, held, more = [], 0, 0, True
        try:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                chunk, more = message.get("body", b""), message.get("more_body", False)
                size += len(chunk)
                if size > most:
                    chunks.clear()
                    more = more and size <= PATIENCE * most
                    continue
                if len(chunk) > self._room:
                    raise RequestError(503, [Problem("body", "too many others are arriving now")], BUSY)
                chunks.append(chunk)
                held += len(chunk)
                self._room -= len(chunk)
            if size > most:
                raise _too_large(most)
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        finally:
            self._room += held


def _too_large(most: int) -> RequestError:
    return RequestError(413, [Problem("body", f"is larger than {most} bytes")], CLOSING)


def _handing_on(body: bytes, receive: Receive) -> Receive:
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return pending.pop() if pending else await receive()

    return next_message
