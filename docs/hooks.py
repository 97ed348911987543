"""Keeps the documentation site free of requests to other hosts."""

from __future__ import annotations

import re
from typing import Any

WORKER_SHIM = re.compile(r'<script src="https://[^"]*iframe-worker/shim"></script>')


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Replaces the theme's remote worker shim by the site's own file."""
    return WORKER_SHIM.sub(f'<script src="{"../" * page.url.count("/")}assets/file-worker.js"></script>', output)


def on_post_template(output_content: str, template_name: str, config: Any) -> str:
    """Removes the shim from pages without a search, such as 404.html."""
    return WORKER_SHIM.sub("", output_content)
