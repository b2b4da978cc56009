"""The HTTP client of endpoints: every request ends, and no reply fills the memory."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import openai

MOST_BYTES = 32 << 20
"""Of a reply, once decompressed; a chat completion has some thousand."""
MOST_FILE_BYTES = 512 << 20
FILE_SECONDS = 3600.0
"""Files of batches are larger, and take longer."""
_MOST_REDIRECTS = 5
_FILE = re.compile(r"/files(?:/[^/]+/content)?/?$")


class LimitedClient(openai.DefaultAsyncHttpxClient):
    """Raises TimeoutError where a reply is not whole in time, ValueError where it is too large.

    The time-outs of the client below are for each part of a reply: against a server that sends a byte at a time,
    or events without end, they never run out. What is compressed is counted as it is decompressed.
    """

    def __init__(self, seconds: float):
        super().__init__(timeout=seconds)
        self._seconds = seconds

    async def send(self, request: Any, **options: Any) -> Any:
        """The whole response, whether a stream was asked for or not."""
        is_file = bool(_FILE.search(request.url.path))
        seconds = max(self._seconds, FILE_SECONDS) if is_file else self._seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._whole(request, MOST_FILE_BYTES if is_file else MOST_BYTES, options)
        except TimeoutError:
            raise TimeoutError(f"Timeout: no whole reply within {seconds:g} seconds") from None

    async def _whole(self, request: Any, most: int, options: dict[str, Any]) -> Any:
        for _ in range(_MOST_REDIRECTS + 1):
            response = await super().send(request, **{**options, "stream": True, "follow_redirects": False})
            try:
                if response.next_request is None:
                    body = bytearray()
                    async for part in response.aiter_bytes():
                        body += part
                        if len(body) > most:
                            raise ValueError(f"the reply is larger than {most >> 20} MB")
                    return _read(response, bytes(body))
            finally:
                await response.aclose()
            request = response.next_request
        raise ValueError(f"more than {_MOST_REDIRECTS} redirects")


def _read(response: Any, body: bytes) -> Any:
    """A response like this one with ``body`` as its content, decompressed."""
    left_out = ("content-encoding", "content-length", "transfer-encoding")
    headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in left_out]
    whole = type(response)(response.status_code, headers=headers, content=body, request=response.request)
    try:
        b" ".decode(whole.encoding or "utf-8", "replace")
    except (LookupError, ValueError):  # `base64`, say, is an encoding, but none of texts
        whole.encoding = "utf-8"
    return whole
