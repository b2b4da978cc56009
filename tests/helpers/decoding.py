"""Prompts → generated ids by continuous batching, for tests of a model without a unit."""

from collections.abc import Callable, Sequence

from transformers import DynamicCache, PreTrainedModel

from memreason.generation.samples import Sample
from memreason.generation.scheduler import Draft, Scheduler


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
