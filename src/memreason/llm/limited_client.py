"""The HTTP client for endpoints, with limits: every request ends in time, and no reply fills the memory."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import openai

MOST_BYTES = 32 << 20
"""The most bytes of a reply, decompressed; a chat completion has a few thousand."""
MOST_FILE_BYTES = 512 << 20
"""The same for a batch's files, which are larger."""
FILE_SECONDS = 3600.0
"""The least time limit for a batch's files, which take longer."""
_MOST_REDIRECTS = 5
_FILE = re.compile(r"/files(?:/[^/]+/content)?/?$")


class LimitedClient(openai.DefaultAsyncHttpxClient):
    """Raises TimeoutError if a reply is not complete within ``seconds``, ValueError if it is too large.

    The time-outs of httpx hold for each part of a reply, so they never end a reply that comes one byte at a time, or
    as a stream without end. The size of a compressed reply is counted after decompression.
    """

    def __init__(self, seconds: float):
        super().__init__(timeout=seconds)
        self._seconds = seconds

    async def send(self, request: Any, **options: Any) -> Any:
        """The complete response, also if a stream was asked for."""
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
    """A copy of ``response`` whose content is ``body``, which is decompressed already."""
    left_out = ("content-encoding", "content-length", "transfer-encoding")
    headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in left_out]
    whole = type(response)(response.status_code, headers=headers, content=body, request=response.request)
    try:
        b" ".decode(whole.encoding or "utf-8", "replace")
    except (LookupError, ValueError):  # unknown, or an encoding that is not for texts, such as base64
        whole.encoding = "utf-8"
    return whole
