"""SQ-VAE: a variational autoencoder with a soft choice among a few codes, one code for each type.

After arXiv 2310.05707 (section 3) and SQ-VAE itself (Takida et al. 2022, arXiv 2205.07547). An
encoder gives a step's vector x a Gaussian N(mu, s^2 I) in a space of `WIDTH` dimensions; a sample z
chooses code k with probability q_k ~ exp(-|z - b_k|^2 / 2 s^2); a decoder rebuilds x from the mixture
of the codes. The loss is the sum of three terms, all in nats per step:

    reconstruction   D/2 log v + |x - decoder(sum_k q_k b_k)|^2 / 2v
    to the codes     sum_k q_k |mu - b_k|^2 / 2 s^2, the Gaussians' divergence
    to even choice   sum_k q_k log(q_k P), the divergence of the choice from the uniform one

D is the width of x, and P the number of codes. s^2 and v are learned: as the reconstruction gets better, choices get
harder. A step's type is the code nearest to mu.

Encoder and decoder start as the projection to the first principal components and back, and the codes as k-means
centres there. The start matters, because a type that starts badly is never used: on 1,766 steps of GSM8K (SmolLM2,
last layer), the perplexity of the use of 20 types was 14 after a start from random steps, and 17 after this one.

Two variants add a term to the loss. `contrastive` penalises the overlap between the choices of neighbouring steps, so
that they get different types. `next-step` has a second decoder, which must rebuild the next step's vector from the
code.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from memreason.step_types.corpus import Corpus
from memreason.step_types.methods import Method, Settings, Tensors, Types
from memreason.step_types.standardize import Standard

WIDTH, HIDDEN = 16, 256
BATCH, LEARNING_RATE, EPOCHS = 64, 1e-3, 50
CONTRAST_WEIGHT = 20.0

Curves = dict[str, list[float]]
"""Name of a term of the loss, or of a measure → its mean over each epoch."""


class Network(nn.Module):
    """Encoder, codes and decoder for vectors of ``inputs`` dimensions; with ``next_step``, a second decoder."""

    def __init__(self, inputs: int, types: int, width: int, next_step: bool):
        super().__init__()
        self.encoder = _Bent(inputs, width)
        self.decoder = _Bent(width, inputs)
        self.codes = nn.Parameter(torch.zeros(types, width))
        self.log_noise = nn.Parameter(torch.zeros(()))
        self.log_error = nn.Parameter(torch.zeros(()))
        self.next_decoder = _Bent(width, inputs) if next_step else None
        self.log_next_error = nn.Parameter(torch.zeros(()))

    def distances(self, z: torch.Tensor) -> torch.Tensor:
        """(steps, types) squared distances from (steps, width) points to the codes."""
        return (z[:, None] - self.codes).square().sum(-1)

    @torch.no_grad()
    def start(self, x: torch.Tensor, seed: int) -> None:
        """Set the start: encoder and decoder to the principal components of (steps, inputs) ``x``, codes by k-means."""
        from sklearn.cluster import KMeans

        components = torch.linalg.svd(x - x.mean(0), full_matrices=False).Vh[: self.codes.shape[1]]
        self.encoder.straight.weight.copy_(components)
        self.encoder.straight.bias.zero_()
        for decoder in filter(None, (self.decoder, self.next_decoder)):
            decoder.straight.weight.copy_(components.T)
            decoder.straight.bias.zero_()
        z = self.encoder(x)
        means = KMeans(len(self.codes), n_init=10, random_state=seed).fit(z.numpy())
        self.codes.copy_(torch.from_numpy(means.cluster_centers_))
        self.log_noise.copy_((self.distances(z).amin(-1).mean() / z.shape[1]).clamp(min=1e-6).log())


class _Bent(nn.Module):
    """A linear map plus a perceptron whose output starts at zero."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.straight = nn.Linear(inputs, outputs)
        last = nn.Linear(HIDDEN, outputs)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.bend = nn.Sequential(nn.Linear(inputs, HIDDEN), nn.ReLU(), last)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.straight(x) + self.bend(x)


@dataclass(frozen=True)
class SoftQuantizer(Types):
    """A trained network, the standardisation of the vectors that it reads, and the curves of its training."""

    names: tuple[str, ...]
    standard: Standard
    network: Network
    curves: Curves

    def assign(self, corpus: Corpus) -> np.ndarray:
        """(steps,) the type whose code is nearest."""
        with torch.no_grad():
            mean = self.network.encoder(torch.from_numpy(self.standard.apply(corpus.embedded)))
            return self.network.distances(mean).argmin(-1).numpy()

    def training_curves(self) -> Curves:
        """The terms of the loss, and how evenly the types were used, for each epoch."""
        return self.curves

    def state(self) -> tuple[Settings, Tensors]:
        """(settings for JSON, tensors): what `restore` needs."""
        weights = {f"network.{name}": weight.numpy() for name, weight in self.network.state_dict().items()}
        return {"curves": self.curves}, {**self.standard.tensors(), **weights}

    @classmethod
    def restore(cls, names: tuple[str, ...], settings: Settings, tensors: Tensors) -> SoftQuantizer:
        """The types, made again from the result of `state`."""
        standard = Standard.from_tensors(tensors)
        weights = {k[len("network.") :]: torch.from_numpy(v) for k, v in tensors.items() if k.startswith("network.")}
        types, width = weights["codes"].shape
        if types != len(names):
            raise ValueError(f"codes are {types}, for {len(names)} types")
        network = Network(len(standard.mean), types, width, "next_decoder.straight.bias" in weights)
        network.load_state_dict(weights)
        return cls(names, standard, network.eval(), settings["curves"])


def fit(
    corpus: Corpus, num_types: int, seed: int, variant: str = "", epochs: int = EPOCHS, progress: bool = True
) -> SoftQuantizer:
    """Train on all steps of ``corpus``; ``variant`` is '', 'contrastive' or 'next-step'.

    The global random state is the same before and after.
    """
    standard = Standard.of(corpus.embedded)
    x = torch.from_numpy(standard.apply(corpus.embedded))
    owners = torch.from_numpy(corpus.owners)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Network(x.shape[1], num_types, min(WIDTH, *x.shape), variant == "next-step").train()
        network.start(x, seed)
        optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
        curves: Curves = {}
        for _ in tqdm(range(epochs), desc="fitting the VAE", disable=not progress, unit="epoch"):
            sums: dict[str, float] = {}
            for rows in _batches(owners):
                terms = _terms(network, x[rows], owners[rows], variant)
                optimizer.zero_grad()
                torch.stack(list(terms.values())).sum().backward()
                optimizer.step()
                for name, term in terms.items():
                    sums[name] = sums.get(name, 0.0) + term.item() * len(rows) / len(x)
            with torch.no_grad():
                use = network.distances(network.encoder(x)).argmin(-1).bincount(minlength=num_types) / len(x)
            sums["perplexity of use"] = math.exp(torch.special.entr(use).sum())
            for name, value in sums.items():
                curves.setdefault(name, []).append(value)
    return SoftQuantizer(tuple(f"sqvae_{i}" for i in range(num_types)), standard, network.eval(), curves)


def _terms(network: Network, x: torch.Tensor, owners: torch.Tensor, variant: str) -> dict[str, torch.Tensor]:
    """The terms of the loss by name, each in nats per step."""
    mean, noise = network.encoder(x), network.log_noise.exp()
    z = mean + torch.randn_like(mean) * noise.sqrt()
    log_choice = torch.log_softmax(-network.distances(z) / (2 * noise), -1)
    choice = log_choice.exp()
    code = choice @ network.codes
    terms = {
        "reconstruction": _likelihood(network.decoder(code) - x, network.log_error),
        "divergence to the codes": (choice * network.distances(mean)).sum(-1).mean() / (2 * noise),
        "divergence to even choice": math.log(len(network.codes)) + (choice * log_choice).sum(-1).mean(),
    }
    follows = torch.nonzero(owners[1:] == owners[:-1]).squeeze(-1)  # steps whose next one is of the same solution
    if variant == "contrastive" and len(follows):
        terms["overlap of neighbours"] = CONTRAST_WEIGHT * (choice[follows] * choice[follows + 1]).sum(-1).mean()
    if network.next_decoder is not None and len(follows):
        error = network.next_decoder(code[follows]) - x[follows + 1]
        terms["next step"] = _likelihood(error, network.log_next_error)
    return terms


def _likelihood(error: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Negative logarithm of a Gaussian likelihood, up to a constant, of (steps, D) errors; the mean over the steps."""
    return error.shape[1] / 2 * log_variance + error.square().sum(-1).mean() / (2 * log_variance.exp())


def _batches(owners: torch.Tensor) -> Iterator[torch.Tensor]:
    """Batches of row numbers, at least `BATCH` in each but the last.

    A batch holds whole solutions, so that neighbouring steps stay together; the solutions come in a random order.
    """
    pending: list[torch.Tensor] = []
    groups = torch.split(torch.arange(len(owners)), owners.unique_consecutive(return_counts=True)[1].tolist())
    for i in torch.randperm(len(groups)):
        pending.append(groups[i])
        if sum(map(len, pending)) >= BATCH:
            yield torch.cat(pending)
            pending = []
    if pending:
        yield torch.cat(pending)


def _method(variant: str) -> Method:
    return Method(
        lambda corpus, o: fit(corpus, o.num_types, o.seed, variant, o.epochs or EPOCHS, o.progress),
        SoftQuantizer.restore,
        reads_embeddings=True,
    )


METHODS = {
    "vae": _method(""),
    "vae-contrastive": _method("contrastive"),
    "vae-next-step": _method("next-step"),
}
