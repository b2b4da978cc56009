"""The server of a checkpoint: loads it, and stops when no answer is under way any more."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from memreason.config.run import CONFIG, read_config
from memreason.errors import UserError
from memreason.reasoner import load
from memreason.records import AnswerKind
from memreason.serving.app import make_app
from memreason.serving.config import ServeConfig
from memreason.serving.orders import Reader
from memreason.serving.page import Page
from memreason.serving.service import Service
from memreason.serving.viewer import Listening
from memreason.tasks.load import load_data

logger = logging.getLogger(__name__)


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
