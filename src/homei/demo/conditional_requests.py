"""Conditional requests: a response that the client already has is answered with 304."""

from __future__ import annotations

import hashlib

from fastapi import Request, Response


def with_etag(request: Request, response: Response) -> Response:
    """The response with a strong ETag, a hash of its body; 304 if the client names it in If-None-Match."""
    response.headers["ETag"] = tag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    client_tags = [name.strip() for name in request.headers.get("If-None-Match", "").split(",")]
    return Response(status_code=304, headers={"ETag": tag}) if tag in client_tags else response
