"""The server: loads the model, listens, and stops when no answer is under way any more."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from memreason.config.run import CONFIG, read_config
from memreason.errors import UserError
from memreason.reasoner import load
from memreason.records import AnswerKind
from memreason.serving.app import make_app, make_viewer
from memreason.serving.config import KEY_VARIABLE, ServeConfig, WebConfig
from memreason.serving.orders import Reader
from memreason.serving.page import Page
from memreason.serving.service import Service
from memreason.tasks.load import load_data

logger = logging.getLogger(__name__)

_FLUSH_SECONDS = 5
"""How long the last responses may take on their way to slow clients."""


def serve(config: ServeConfig, on_ready: Callable[[str], None]) -> int:
    """Serve until a signal ends it, and return the exit code: 0, or 128 plus the signal's number where a second signal
    did not wait for the answers under way.

    ``on_ready`` is called before the first request is taken, with the address of the API or, for a `WebConfig`, of the
    page. Raises UserError where the options, the checkpoint or the address cannot be used.
    """
    key = os.environ.get(KEY_VARIABLE) or None
    config.check_host(key)
    page = Page.of(config, key) if isinstance(config, WebConfig) else None
    with _bound(config.host, config.port) as listener:
        server: Listening
        if page and not config.model_name_or_path:
            server = Viewer(page, config.max_request_bytes, on_ready)
        else:
            server = Server(config, key, on_ready, page)
        if hasattr(signal, "SIGHUP"):  # a closed terminal; uvicorn knows the other two
            signal.signal(signal.SIGHUP, server.handle_exit)
        server.run([listener])
    return server.exit_code


class Listening(uvicorn.Server):
    """An application behind uvicorn. Subclasses say what a signal does."""

    def __init__(self, app: FastAPI, page: Page | None, on_ready: Callable[[str], None]):
        super().__init__(
            uvicorn.Config(app, ws="none", log_config=None, access_log=False, server_header=False, proxy_headers=False,
                           timeout_graceful_shutdown=_FLUSH_SECONDS)
        )  # fmt: skip
        self.exit_code = 0
        self._on_ready, self._page = on_ready, page

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, when the application is ready (called by uvicorn)."""
        await super().startup(sockets)
        for listener in sockets or ():
            host, port = listener.getsockname()[:2]
            address = f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"
            self._on_ready(self._page.address(address) if self._page else address)


class Viewer(Listening):
    """A page without a model. A signal ends it."""

    def __init__(self, page: Page, max_request_bytes: int, on_ready: Callable[[str], None] = lambda _: None):
        super().__init__(make_viewer(page, max_request_bytes), page, on_ready)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """What a signal does (called by uvicorn)."""
        self.should_exit = True


class Server(Listening):
    """A loaded checkpoint.

    At the first SIGINT, SIGTERM or SIGHUP new requests are refused, and it stops when no answer is under way. At the
    second it stops at once.
    """

    def __init__(
        self,
        config: ServeConfig,
        key: str | None = None,
        on_ready: Callable[[str], None] = lambda _: None,
        page: Page | None = None,
    ):
        checkpoint = Path(config.model_name_or_path)
        reasoner = load(checkpoint, config.base_model_name_or_path, config.dtype, config.device)
        if config.answer_kind != "auto":
            reasoner.answer_kind = config.answer_kind  # type: ignore[assignment]
        elif reasoner.answer_kind is None:
            reasoner.answer_kind = kind_of_data(checkpoint)
        engine = reasoner.engine(config.batch_size)
        name = config.served_model_name or checkpoint.resolve().name
        self.service = Service(engine, reasoner.answer_kind, config.max_waiting, config.timeout)
        app = make_app(
            self.service, Reader(name, reasoner.unit.layout, config.max_n), key, config.max_request_bytes, page
        )  # fmt: skip
        super().__init__(app, page, on_ready)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """What a signal does (called by uvicorn)."""
        if not self.service.stopping:
            self.service.stopping = True
            return
        self.force_exit = self.should_exit = True
        self.exit_code = 128 + sig
        logging.getLogger("uvicorn.error").disabled = True  # that what is under way is cut off is no error now
        self.service.thread.abandon()
        signal.signal(sig, signal.SIG_DFL)  # a third one ends the process

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop now (called by uvicorn ten times a second)."""
        stop = await super().on_tick(counter)
        return stop or (self.service.stopping and not self.service.thread.jobs)


def kind_of_data(checkpoint: Path) -> AnswerKind | None:
    """The kind of answers in the data that a checkpoint was trained on; None where it cannot be found out."""
    if not (checkpoint / CONFIG).is_file():
        return None
    try:
        return load_data(read_config(checkpoint).data).answer_kind
    except UserError as error:
        logger.warning(f"the kind of answers is not known ({error}); say it with --answer_kind")
        return None


def _bound(host: str, port: int) -> socket.socket:
    """A socket with this address, before the model is loaded, so that a mistake shows at once."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UserError(f"--host {host}: {error.strerror or error}; give an address of this machine") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        message = f"--host {host} --port {port}: {error.strerror}; another program may use it: give another --port"
        raise UserError(message) from error
    return listener
