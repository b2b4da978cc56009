"""The methods that are fitted, on small made-up vectors and texts: right types, all used, the same after storing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from scipy.optimize import linear_sum_assignment

from memreason.config.model import INFERRED
from memreason.errors import UserError
from memreason.records import PLAIN, Question, Solution, Step
from memreason.step_types import kmeans, sqvae, tfidf
from memreason.step_types.controls import Random, Shared, shuffled
from memreason.step_types.corpus import Corpus
from memreason.step_types.describe import Use, distances_to_centre, points, telling_words
from memreason.step_types.methods import find_method, fit_types
from memreason.step_types.store import RECORD, STEPS, TENSORS, Fit, load, read_steps, save

TEXTS = ["we add 3 + 4 total", "the total grows by 5", "cost is 3 * 4 dollars", "he left with 7 - 2 minutes"]


def corpus_of(vectors: np.ndarray | None, texts: list[str], per_solution: int = 4) -> Corpus:
    solutions = [
        Solution(Question(f"q{i}", "?", "1"), tuple(Step(PLAIN, t) for t in texts[i : i + per_solution]))
        for i in range(0, len(texts), per_solution)
    ]
    return Corpus(solutions, vectors)


def blobs(types: int = 4, each: int = 30, width: int = 12, uneven: bool = False) -> tuple[Corpus, np.ndarray]:
    """Vectors around ``types`` far points, and which point each is around."""
    rng = np.random.default_rng(0)
    sizes = [each * (4 if uneven and i == 0 else 1) for i in range(types)]
    truth = rng.permutation(np.repeat(np.arange(types), sizes))
    centres = rng.normal(size=(types, width)) * 6
    vectors = (centres[truth] + rng.normal(size=(len(truth), width))).astype(np.float32)
    return corpus_of(vectors, [f"{TEXTS[t % 4]} {i}" for i, t in enumerate(truth)]), truth


def agree(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two labellings are the same but for the names."""
    pairs = set(zip(one.tolist(), other.tolist(), strict=True))
    return len(pairs) == len(set(one.tolist())) == len(set(other.tolist()))


class TestKMeans:
    def test_finds_what_is_apart(self) -> None:
        corpus, truth = blobs()
        assert agree(kmeans.fit(corpus, 4, seed=0).assign(corpus), truth)

    def test_a_dimension_of_huge_scale_does_not_decide_alone(self) -> None:
        corpus, truth = blobs()
        vectors = np.concatenate([corpus.embedded, np.random.default_rng(1).normal(size=(len(truth), 1)) * 1e4], axis=1)
        types = kmeans.fit(Corpus(corpus.solutions, vectors.astype(np.float32)), 4, seed=0)
        assert agree(types.assign(Corpus(corpus.solutions, vectors.astype(np.float32))), truth)

    def test_balanced_types_have_equal_shares_also_of_new_steps(self) -> None:
        corpus, _ = blobs(each=60, uneven=True)
        found = kmeans.fit(corpus, 4, seed=0, balanced=True)
        counts = np.bincount(found.assign(corpus), minlength=4)
        assert counts.min() > 0.9 * counts.mean()
        half = Corpus(corpus.solutions[::2], corpus.embedded[np.isin(corpus.owners, range(0, 999, 2))])
        new = np.bincount(found.assign(half), minlength=4)
        assert new.min() > 0.6 * new.mean()

    def test_the_balancing_prices_cost_what_scipys_exact_assignment_costs(self) -> None:
        costs = np.random.default_rng(0).random((200, 5)) ** 2
        types = (costs + kmeans.balancing_prices(costs)).argmin(1)
        repeated = np.repeat(costs, 40, axis=1)
        exact = repeated[linear_sum_assignment(repeated)].sum()
        assert costs[np.arange(200), types].sum() == pytest.approx(exact, rel=0.01)
        assert np.bincount(types).max() <= 42


class TestSoftQuantizer:
    @pytest.mark.parametrize("variant", ["", "contrastive", "next-step"])
    def test_finds_what_is_apart_and_uses_every_type(self, variant: str) -> None:
        corpus, truth = blobs()
        found = sqvae.fit(corpus, 4, seed=0, variant=variant, epochs=8, progress=False)
        types = found.assign(corpus)
        assert Use.of(np.bincount(types, minlength=4).tolist()).dead == ()
        if variant == "":
            assert agree(types, truth)

    def test_the_loss_falls_and_every_term_has_a_curve(self) -> None:
        corpus, _ = blobs()
        curves = sqvae.fit(corpus, 4, seed=0, variant="next-step", epochs=10, progress=False).curves
        assert set(curves) == {"reconstruction", "divergence to the codes", "divergence to even choice", "next step",
                               "perplexity of use"}  # fmt: skip
        assert all(len(values) == 10 and np.isfinite(values).all() for values in curves.values())
        assert curves["reconstruction"][-1] < curves["reconstruction"][0]
        assert 1 <= curves["perplexity of use"][-1] <= 4 + 1e-4

    def test_contrast_makes_neighbours_differ_more(self) -> None:
        rng = np.random.default_rng(0)
        vectors = rng.normal(size=(400, 64)) + np.repeat(rng.normal(size=(100, 64)), 4, axis=0)
        corpus = corpus_of(vectors.astype(np.float32), ["a step"] * 400)
        follows = corpus.owners[1:] == corpus.owners[:-1]

        def same(variant: str) -> float:
            types = sqvae.fit(corpus, 4, seed=0, variant=variant, epochs=15, progress=False).assign(corpus)
            return float((types[1:] == types[:-1])[follows].mean())

        assert same("contrastive") < same("") - 0.1

    def test_the_same_seed_gives_the_same_types_and_leaves_the_global_one_alone(self) -> None:
        import torch

        corpus, _ = blobs()
        torch.manual_seed(5)
        state = torch.get_rng_state()
        one, other = (sqvae.fit(corpus, 3, seed=1, epochs=3, progress=False).assign(corpus) for _ in range(2))
        assert (one == other).all() and (torch.get_rng_state() == state).all()


class TestTfIdf:
    def test_a_step_has_the_word_that_weighs_most_in_it(self) -> None:
        corpus = corpus_of(None, TEXTS * 5 + ["nothing of it"])
        types = tfidf.fit(corpus, 4)
        assert types.names[-1] == "other" and len(types.names) == 4
        names = [types.names[i] for i in types.assign(corpus)]
        assert names[-1] == "other" and all(name in text for name, text in zip(names, corpus.texts, strict=True)
                                            if name != "other")  # fmt: skip

    def test_words_that_other_tokens_use_are_never_types(self) -> None:
        corpus = corpus_of(None, ["answer prefix step memory reason rag apple", "pear apple"] * 5)
        assert tfidf.fit(corpus, 2).names == ("apple", "other")

    def test_too_few_words_are_an_error(self) -> None:
        with pytest.raises(UserError, match="--num_types 9: the steps have only"):
            tfidf.fit(corpus_of(None, TEXTS * 5), 9)


class TestControls:
    def test_random_types_belong_to_the_step_and_not_to_the_corpus(self) -> None:
        corpus, _ = blobs()
        everything = dict(zip(corpus.ids, Random(5, seed=0).assign(corpus), strict=True))
        part = Corpus(corpus.solutions[3:7])
        assert [everything[id_] for id_ in part.ids] == Random(5, seed=0).assign(part).tolist()
        assert set(everything.values()) == set(range(5))
        assert Random(5, seed=1).assign(corpus).tolist() != list(everything.values())

    def test_shuffling_keeps_how_often_each_type_is_used(self) -> None:
        types = ["a"] * 30 + ["b"] * 10
        assert sorted(shuffled(types, 0)) == types and shuffled(types, 0) != types
        assert shuffled(types, 0) == shuffled(types, 0) != shuffled(types, 1)

    def test_shared_is_one_type(self) -> None:
        corpus, _ = blobs()
        assert Shared().names == ("shared",) and not Shared().assign(corpus).any()


class TestStore:
    @pytest.mark.parametrize("method", INFERRED)
    def test_a_fit_is_the_same_after_storing_and_holds_no_pickle(self, method: str, tmp_path: Path) -> None:
        corpus, _ = blobs()
        types = fit_types(method, corpus, 4, seed=0, epochs=3, progress=False)
        fit = Fit(method, types, None, "made up", 0, {})
        save(fit, tmp_path)
        assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}
        again = load(tmp_path)
        assert again.record == fit.record and again.types.names == types.names
        assert (again.types.assign(corpus) == types.assign(corpus)).all()

    @pytest.mark.parametrize("method", [name for name in INFERRED if find_method(name).reads_embeddings])
    def test_another_fit_has_another_fingerprint(self, method: str) -> None:
        corpus, _ = blobs(types=6)
        prints = {
            Fit(method, fit_types(method, corpus, n, 0, 2, progress=False), None, "", 0, {}).record["fingerprint"]
            for n in (2, 3)
        }
        assert len(prints) == 2

    def test_what_cannot_be_read_is_a_users_error(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"no step_types\.json in it"):
            load(tmp_path)
        (tmp_path / "step_types.json").write_text("{}")
        with pytest.raises(UserError, match="fit it again"):
            load(tmp_path)

    @pytest.mark.parametrize(
        ("entries", "what"),
        [
            ({"names": "abc"}, "names is not what it should be"),
            ({"names": []}, "names no method, no type"),
            ({"names": ["a", "a", "b", "c"]}, "or one twice"),
            ({"names": ["a"]}, "centres are"),
            ({"method": "guess"}, "names no method"),
            ({"words": {"kmeans_0": [1]}}, "words is not what"),
            ({"source": {"layer": 1}}, "missing 1 required"),
            ({"source": {"model": 1}}, "model is 1, which is no str"),
            ({"settings": None}, "settings is not what"),
            ({"format": 9}, "its format is 9"),
        ],
    )
    def test_a_record_with_other_values_is_named(self, tmp_path: Path, entries: dict[str, Any], what: str) -> None:
        corpus, _ = blobs()
        save(Fit("k-means", fit_types("k-means", corpus, 4, seed=0), None, "made up", 0, {}), tmp_path)
        load(tmp_path)
        record = json.loads((tmp_path / RECORD).read_text())
        (tmp_path / RECORD).write_text(json.dumps(record | entries))
        with pytest.raises(UserError, match=rf"(?s){RECORD}: not a .*{what}.*; fit it again"):
            load(tmp_path)

    @pytest.mark.parametrize("damage", ["cut", "empty", "not finite", "other centres", "gone"])
    def test_damaged_tensors_are_named(self, tmp_path: Path, damage: str) -> None:
        corpus, _ = blobs()
        save(Fit("k-means", fit_types("k-means", corpus, 4, seed=0), None, "made up", 0, {}), tmp_path)
        path = tmp_path / TENSORS
        tensors = load_file(path)
        if damage == "gone":
            path.unlink()
        elif damage in ("cut", "empty"):
            path.write_bytes(path.read_bytes()[: -20 if damage == "cut" else 0])
        else:
            of_nan = np.full_like(tensors["centres"], np.nan)
            save_file(tensors | {"centres": of_nan if damage == "not finite" else np.zeros((4, 1), np.float32)}, path)
        with pytest.raises(UserError, match=r"not a fit that this version can read: .*; fit it again"):
            load(tmp_path)

    @pytest.mark.parametrize(
        "row",
        [
            {"type": "kmeans_0", "text": "a"},
            {"type": "kmeans_0", "text": {}, "distance": 1},
            {"type": "kmeans_0", "text": "a", "distance": "1"},
            {"type": "kmeans_0", "text": "a", "distance": float("nan")},
        ],
    )
    def test_a_damaged_step_is_named_with_its_line(self, tmp_path: Path, row: dict[str, Any]) -> None:
        (tmp_path / STEPS).write_text('{"type": "a", "text": "b", "distance": 0}\n' + json.dumps(row) + "\n")
        with pytest.raises(UserError, match=rf"{STEPS}:2: no step with type, text and distance; fit it again"):
            read_steps(tmp_path)

    def test_fewer_steps_than_types_are_refused(self) -> None:
        corpus, _ = blobs(types=1, each=3)
        with pytest.raises(UserError, match="3 steps cannot be sorted into 5 types"):
            fit_types("k-means", corpus, 5, 0)
        with pytest.raises(UserError, match="there are no steps"):
            fit_types("+-*/", Corpus([]), 5, 0)


class TestDescription:
    def test_use(self) -> None:
        assert Use.of([5, 5]) == Use((5, 5), 1.0, 2.0, ())
        uneven = Use.of([9, 1, 0])
        assert uneven.dead == (2,) and 0 < uneven.entropy < 0.4 and 1 < uneven.perplexity < 2
        assert Use.of([7]).entropy == 0

    def test_words_that_tell_a_type_from_the_others(self) -> None:
        texts = ["the cost is $3", "the cost was $4", "the hours * 2", "the hours * 3"] * 2
        words = telling_words(texts, np.array([0, 0, 1, 1] * 2), ("money", "time", "never"))
        assert set(words["money"][:2]) == {"$", "cost"} and set(words["time"]) == {"*", "hours"}
        assert words["never"] == [] and "the" not in words["money"]

    def test_points_and_distances(self) -> None:
        corpus, truth = blobs()
        where = points(corpus)
        found = distances_to_centre(where, truth)
        own = where[truth == 0]
        assert np.allclose(found[truth == 0], np.linalg.norm(own - own.mean(0), axis=1))
        assert points(Corpus(corpus.solutions)).shape[0] == len(truth)
