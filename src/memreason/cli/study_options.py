"""Checks the options in a study's recipe as the commands do that they are for, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

from memreason.cli.parser import Parser, huggingface_options
from memreason.config.ablations import AblationConfig
from memreason.config.commands import EvaluateConfig
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.config.training import TrainingOptions
from memreason.explain.config import ExplainConfig
from memreason.study.cells import EVALUATE, EXPLAIN, TRAIN
from memreason.study.recipe import Option


class CommandOptions:
    """An `OptionCheck`, made of the commands' own parsers. It needs no torch."""

    def __init__(self) -> None:
        others = huggingface_options()
        self.parsers = {
            TRAIN: Parser((ModelConfig, DataConfig, TrainingOptions, AblationConfig), TRAIN, others=others),
            EVALUATE: Parser((EvaluateConfig,), EVALUATE, positional=("[CHECKPOINT]", "model_name_or_path")),
            EXPLAIN: Parser((ExplainConfig,), EXPLAIN, positional=("[RUN]", "run")),
        }

    def one(self, command: str, option: Option) -> None:
        """Raise UserError that names the option's file:line where the command has no such option or value."""
        self.parsers[command].arguments(option.place, option.name, option.values)

    def whole(self, command: str, argv: Sequence[str]) -> None:
        """Raise UserError where the options contradict each other."""
        given = self.parsers[command].parse(argv)
        if command == TRAIN:
            model, data, _, ablations = given
            ablations.check(model, data)

    def data(self, argv: Sequence[str]) -> DataConfig:
        """Which questions there are, by the options of `memreason train`."""
        (data,) = (each for each in self.parsers[TRAIN].parse(argv) if isinstance(each, DataConfig))
        return data
