"""Prompts → generated ids by continuous batching, for tests of a model without a unit."""

import random
from collections.abc import Callable, Sequence

import torch
from helpers.architectures import enliven
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, DynamicCache, GenerationConfig, PreTrainedModel

from memreason.generation.samples import Sample
from memreason.generation.scheduler import Draft, Scheduler

END = 7


def prompts(n: int, vocabulary: int, seed: int = 0) -> list[list[int]]:
    draw = random.Random(seed)
    return [[draw.randrange(8, vocabulary) for _ in range(draw.randrange(1, 20))] for _ in range(n)]


def alone(model: PreTrainedModel, prompt: list[int], room: int) -> list[int]:
    """How transformers' `generate` continues one prompt."""
    ids = torch.tensor([prompt])
    settings = GenerationConfig(do_sample=False, max_new_tokens=room, eos_token_id=END, pad_token_id=0)
    generated = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)
    return generated[0, len(prompt) :].tolist()


def of_kind(kind: str, dtype: torch.dtype = torch.float32, **options: object) -> PreTrainedModel:
    """A tiny model of an architecture, with weights that make each layer count."""
    sizes = {"vocab_size": 60, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "pad_token_id": 0,
             "num_attention_heads": 4, "num_key_value_heads": 2, "bos_token_id": None, "eos_token_id": END}  # fmt: skip
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[kind](**{**sizes, **options}), dtype=dtype).eval()
    enliven(model)
    return model


def decode(
    model: PreTrainedModel,
    prompts: Sequence[list[int]],
    room: Sequence[int],
    *,
    end_id: int,
    slots: int,
    draft: Draft | None = None,
    shared: DynamicCache | None = None,
    on_ended: Callable[[int, list[int]], None] = lambda index, ids: None,
    **options: object,
) -> list[list[int]]:
    """What each prompt was continued with; ``options`` are those of each `Sample`."""
    generated: dict[int, list[int]] = {}

    def sample(index: int) -> Sample:
        def ended(sample: Sample) -> None:
            generated[index] = sample.generated
            on_ended(index, sample.generated)

        return Sample(prompts[index], room[index], ended, **options)  # type: ignore[arg-type]

    longest = max((len(prompt) + left for prompt, left in zip(prompts, room, strict=True)), default=1)
    scheduler = Scheduler(model, end_id, slots, longest, draft, shared)
    if prompts:
        scheduler.prove(prompts[0])
    scheduler.waiting.extend(sample(index) for index in range(len(prompts)))
    with scheduler.attending():
        while scheduler.waiting or scheduler.under_way:
            scheduler.step()
    return [generated[index] for index in range(len(prompts))]
