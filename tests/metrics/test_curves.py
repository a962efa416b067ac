"""The curves of plain scores against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from flawspot.errors import DataError
from flawspot.metrics import rank_scores
from flawspot.metrics.curves import paired, rank_runs


def sample(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.random(700) < (0.01 if kind == "rare" else 0.3)
    labels[:2] = [True, False]
    scores = generator.normal(labels * 0.8, 1.0)
    if kind == "ties":
        scores = np.round(scores)
    if kind == "constant":
        scores[:] = 0.25
    return (scores.astype(np.float32) if kind == "float32" else scores), labels


@pytest.mark.parametrize("kind", ["smooth", "ties", "constant", "rare", "float32"])
@pytest.mark.parametrize("seed", range(4))
def test_equals_scikit_learn(kind: str, seed: int) -> None:
    scores, labels = sample(kind, seed)
    curves = rank_scores(scores, labels)
    assert curves.auroc == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)
    assert curves.average_precision == pytest.approx(average_precision_score(labels, scores), abs=1e-9)
    precision, recall, _ = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    assert curves.f1_max == pytest.approx(f1.max(), abs=1e-9)
    assert (curves.positives, curves.negatives) == (labels.sum(), (~labels).sum())


def test_a_perfect_and_a_reversed_ranking() -> None:
    labels = np.array([False, False, True, True])
    curves = rank_scores(np.arange(4.0), labels)
    assert (curves.auroc, curves.average_precision, curves.f1_max) == (1.0, 1.0, 1.0)
    assert rank_scores(-np.arange(4.0), labels).auroc == 0.0


def test_plain_scores_have_no_regions() -> None:
    curves = rank_scores(np.arange(4.0), np.array([False, False, True, True]))
    assert curves.aupro is None
    assert curves.regions == 0


@pytest.mark.parametrize("label", [True, False])
def test_one_class_leaves_figures_undefined(label: bool) -> None:
    curves = rank_scores(np.arange(3.0), np.full(3, label))
    assert curves.auroc is None
    assert (curves.f1_max is None) == (not label)
    assert (curves.average_precision is None) == (not label)


@pytest.mark.parametrize("scores", [[], [1.0, float("nan")]])
def test_scores_that_cannot_be_ranked(scores: list[float]) -> None:
    with pytest.raises(DataError):
        rank_scores(np.array(scores), np.zeros(len(scores), bool))


def test_infinities_and_both_zeros_are_scores_like_others() -> None:
    scores = np.array([-np.inf, -0.0, 0.0, np.inf, np.inf, 1.0])
    labels = np.array([False, True, False, True, False, False])
    finite = np.array([-9.0, 0.0, 0.0, 9.0, 9.0, 1.0])
    assert rank_scores(scores, labels) == rank_scores(finite, labels)
    assert rank_scores(scores, labels).auroc == pytest.approx(roc_auc_score(labels, finite))


@pytest.mark.parametrize("pieces", [2, 5])
def test_several_runs_are_one_ranking(pieces: int) -> None:
    generator = np.random.default_rng(pieces)
    good = np.round(generator.random(900), 2)
    defective = paired(np.round(generator.random(300) + 0.2, 2), generator.integers(1, 9, 300))
    whole = rank_runs([np.sort(good)], [np.sort(defective)], 40)
    parts = rank_runs(
        [np.sort(part) for part in np.array_split(good, pieces)],
        [np.sort(part) for part in np.array_split(defective, pieces)],
        40,
    )
    assert parts.auroc == whole.auroc
    assert parts.f1_max == whole.f1_max
    assert parts.average_precision == pytest.approx(whole.average_precision, abs=1e-12)
    assert parts.aupro == pytest.approx(whole.aupro, abs=1e-12)
