"""What `memreason serve` and `memreason web` do."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable

from memreason.errors import UserError
from memreason.serving.config import KEY_VARIABLE, ServeConfig, WebConfig
from memreason.serving.page import Page
from memreason.serving.viewer import Listening, Viewer


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
            from memreason.serving.server import Server  # takes seconds, which a page without a model need not

            server = Server(config, key, on_ready, page)
        if hasattr(signal, "SIGHUP"):  # a closed terminal; uvicorn knows the other two
            signal.signal(signal.SIGHUP, server.handle_exit)
        server.run([listener])
    return server.exit_code


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
