"""What every stage of a training run needs: the options, the folder, and the console for messages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from memreason.config.ablations import AblationConfig
from memreason.config.data import DataConfig
from memreason.config.model import InferredTypes, ModelConfig
from memreason.config.run import RunConfig
from memreason.generation.options import GenerationOptions
from memreason.planning_tokens.layout import PlanningTokens
from memreason.runtime import distributed
from memreason.runtime.terminal import show
from memreason.training.config import TrainingConfig


@dataclass(frozen=True)
class RunContext:
    """One run of `memreason train`.

    ``config`` holds the options that are written into the run's folder. ``resuming`` says that the run in ``folder`` is
    continued. ``inferred`` has the inferred step types; None before they are inferred, or if none are.
    """

    model: ModelConfig
    data: DataConfig
    ablations: AblationConfig
    args: TrainingConfig
    config: RunConfig
    console: Console
    resuming: bool = False
    inferred: InferredTypes | None = None

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(str(self.args.output_dir))

    @property
    def layout(self) -> PlanningTokens:
        """The planning tokens, and with them the text layout."""
        return self.ablations.layout(self.model, self.inferred)

    @property
    def progress(self) -> bool:
        """Whether to show progress bars."""
        return not self.args.disable_tqdm and distributed.is_main()

    @property
    def generation(self) -> GenerationOptions:
        """How the questions of an evaluation are answered."""
        return GenerationOptions(
            self.args.per_device_eval_batch_size,
            use_calculator=self.data.use_calculator,
            backend=self.data.generation_backend,
        )

    def say(self, message: str) -> None:
        """Print a message for the user on the console."""
        show(self.console, message)
