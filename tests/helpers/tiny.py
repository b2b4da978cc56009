"""Tiny real models, of the three shapes that embeddings come in, with a real tokenizer."""

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import MEMORY, REASON, Question, Solution, Step
from memreason.training.collation import collate
from memreason.training.encoding import encode_solutions

SHAPES = ("untied", "padded", "tied")
PADDING_ROWS = 37

SOLUTIONS = [
    Solution(
        Question(f"q{i}", f"Is {city} the capital of {country}?", answer, dataset="capitals", split="train"),
        (Step(MEMORY, f"The capital of {country} is {capital}."), Step(REASON, f"{city} is{no} {capital}.")),
    )
    for i, (city, country, capital, answer, no) in enumerate(
        [
            ("Paris", "France", "Paris", "True", ""),
            ("Lyon", "France", "Paris", "False", " not"),
            ("Rome", "Italy", "Rome", "True", ""),
            ("Milan", "Italy", "Rome", "False", " not"),
        ]
    )
]


def make_base(
    folder: Path, shape: str, seed: int = 0, reserved: Sequence[str] = (), padding: int = PADDING_ROWS
) -> Path:
    """Write a tiny base model of one shape, tokenizer included, and return its folder.

    Its tokenizer has the special tokens ``reserved`` too. The padded shape has ``padding`` rows more than tokens.
    """
    tokenizer = make_tokenizer(shape == "untied", reserved)
    sizes = dict(
        hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, tie_word_embeddings=shape == "tied",
        bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    torch.manual_seed(seed)
    if shape == "padded":
        model = Qwen2ForCausalLM(Qwen2Config(vocab_size=len(tokenizer) + padding, **sizes))
    else:
        model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **sizes))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_tokenizer(bos: bool, reserved: Sequence[str] = ()) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer, with a token of its own before every text where ``bos``."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    corpus = [
        f"Question: {s.question.text}\n{step.text}\nThe answer is: True False\n" for s in SOLUTIONS for step in s.steps
    ]
    special = ["<|end|>", "<|pad|>", "<|begin|>", *reserved]
    tokenizer.train_from_iterator(
        corpus,
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    if bos:
        from tokenizers.processors import TemplateProcessing

        tokenizer.post_processor = TemplateProcessing(
            single="<|begin|> $A",
            pair="<|begin|> $A $B",
            special_tokens=[("<|begin|>", tokenizer.token_to_id("<|begin|>"))],
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|pad|>", bos_token="<|begin|>" if bos else None
    )


def teach(folder: Path, steps: int = 150, solutions: list[Solution] = SOLUTIONS) -> Path:
    """Pretrain the model in ``folder`` on the solutions as plain text, so that adapters have
    something to adapt: the logits of a random model stay near zero whatever its inputs are."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    examples, _ = encode_solutions(solutions, PlanningTokens(), tokenizer, 128)
    batch = collate(examples, tokenizer.pad_token_id)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(steps):
        model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    return folder
