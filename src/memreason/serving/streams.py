"""Streams of server-sent events."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

from fastapi.responses import StreamingResponse

from memreason.serving.engine_thread import Job
from memreason.serving.gate import Receive, Send
from memreason.serving.replies import Json

logger = logging.getLogger(__name__)

READ_SECONDS = 5.0
"""How long a client may take to read a stream's last chunks when its answers are ready, or late."""
DONE = b"data: [DONE]\n\n"


def event(content: Json) -> bytes:
    """One event."""
    return b"data: " + json.dumps(content, ensure_ascii=False).encode() + b"\n\n"


class EventStream(StreamingResponse):
    """A stream of server-sent events, for at most ``seconds``: a client may not read. Its job is closed in any case,
    also where it never begins."""

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[bytes], job: Job, seconds: float):
        super().__init__(content, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._job, self._seconds = job, seconds

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Send the stream, until its end or until the client hangs up."""
        try:
            async with asyncio.timeout(self._seconds):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            logger.warning("a client did not read its stream; the connection is closed")
        finally:
            self._job.close()
