"""Detects whether good parts have changed, by a test on their scores that is valid at all times.

As long as product, light and camera stay the same, the rank of each new score among the held-out scores and all later
ones is uniform (Vovk, Gammerman and Shafer, *Algorithmic Learning in a Random World*, 2005, theorem 8.2). The test bets
against this. Its capital is then a martingale. By Ville's inequality the probability that it ever grows a thousandfold
is at most 1 / 1000, however long the test runs. The bets are those of the Simple Jumper (Vovk et al., "Retrain or not
retrain: conformal test martingales for change-point detection", 2021, algorithm 1). Three experts bet that ranks are
too high, uniform, or too low. At each step a share of each expert's capital moves to the others.
"""

from __future__ import annotations

import bisect
import collections
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ArtifactError
from flawspot.runtime.tensors import tensor_of, within

EXPERTS = (-1.0, 0.0, 1.0)
JUMP = 0.01
"""Share of the capital that moves at each step, as in the source."""
ALARM = 1000.0
"""Capital at which the alarm is raised."""
REMEMBERED = 20_000
"""Most scores that new ones are ranked among. Later scores are ranked but not remembered. With this many, the ranks
differ from exact ones by less than experts can win from."""
_ENOUGH = 1e12
"""Capital above this is put aside. It proves nothing more, and would overflow after some thousand parts."""
_FLOOR = 1e-6
"""Least capital, topped up by loans, so that the test does not need hours to react after a long time without change.
Each loan adds at most one in 10^9 to the probability of a false alarm."""


_MOST_SEEN = 1 << 53
"""More parts than any line makes."""
RECENT = 50
"""Number of recent parts that the present share of anomalous ones is computed from."""


class Share:
    """Detects whether the share of parts called anomalous has changed, by the same test on verdicts.

    Scores of anomalous parts say nothing about good ones. If a change makes every part anomalous, `Drift` therefore
    gets no scores. The usual share is known only on the line, so the test starts with the first parts that it sees. A
    line on which everything is anomalous from the start shows no change.

    Attributes:
        test: the test on the verdicts, 0 and 1.
    """

    def __init__(self, *, seed: int = 0) -> None:
        """`seed` sets the random order of equal verdicts."""
        self.test = Drift((), math.inf, seed=seed)
        self._before = 0
        self._recent: collections.deque[bool] = collections.deque(maxlen=RECENT)

    @property
    def alarm(self) -> bool:
        """Whether the share has changed."""
        return self.test.alarm

    def add(self, anomalous: bool) -> None:
        """Bet on the next part's verdict."""
        if len(self._recent) == RECENT:
            self._before += self._recent[0]
        self._recent.append(anomalous)
        self.test.add(float(anomalous))

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """All that it knows, for `restored`."""
        return {
            **{f"test/{name}": array for name, array in self.test.as_arrays().items()},
            "before": np.array([self._before], np.int64),
            "recent": np.array(self._recent, np.uint8),
        }

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]], *, seed: int = 0) -> Self:
        """A test that goes on from `as_arrays`; see `Drift.restored`.

        Raises:
            ArtifactError: the arrays are damaged.
        """
        found = cls(seed=seed)
        found.test = Drift.restored(within(arrays, "test/"), math.inf, seed=seed)
        scores = tensor_of(arrays, "test/scores", "F64", (None,))
        before, recent = tensor_of(arrays, "before", "I64", (1,)), tensor_of(arrays, "recent", "U8", (None,))
        if not np.isin(scores, (0, 1)).all() or not np.isin(recent, (0, 1)).all():
            raise ArtifactError("its verdicts are neither 0 nor 1: it is damaged")
        if len(recent) != min(found.test.seen, RECENT) or not 0 <= before[0] <= found.test.seen - len(recent):
            raise ArtifactError("its verdicts do not fit their number: it is damaged")
        found._before = int(before[0])
        found._recent.extend(map(bool, recent))
        return found

    def __str__(self) -> str:
        earlier, recent = self.test.seen - len(self._recent), len(self._recent)
        before = 100 * self._before / max(earlier, 1)
        now = 100 * sum(self._recent) / max(recent, 1)
        return f"called anomalous: {now:.3g} % of the last {recent} parts, {before:.3g} % of all before these"


class Drift:
    """The test on scores of good parts.

        >>> drift = Drift([float(n) for n in range(50)], threshold=100.0)
        >>> for _ in range(100):
        ...     drift.add(60.0)
        >>> drift.alarm
        True

    Attributes:
        threshold: the detector's threshold. Scores above it belong to parts called anomalous, and are ignored.
        capital: the test's capital; 1 at the beginning, at most 10^12.
        highest: the largest capital so far.
        seen: number of parts that it has bet on.
    """

    def __init__(self, held_out: Sequence[float], threshold: float, *, seed: int = 0) -> None:
        """`held_out` are scores of good photographs that the detector has not learned from. `seed` sets the random
        order of equal scores."""
        self.threshold = threshold
        self._scores = sorted(score for score in held_out if score <= threshold)
        self._random = random.Random(seed)
        self._shares = [1.0 / len(EXPERTS)] * len(EXPERTS)
        self.capital = self.highest = 1.0
        self.seen = 0

    @property
    def alarm(self) -> bool:
        """Whether parts have changed."""
        return self.highest >= ALARM

    @property
    def evidence(self) -> float:
        """The decimal logarithm of the largest capital, in [0, 12]: 3 is an alarm."""
        return math.log10(max(self.highest, 1.0))

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """All that it knows but the threshold, for `restored`: ``scores`` (N,), ``shares`` (3,) and ``capitals`` (2,),
        the present and the highest one, in float64, because equal scores must stay equal; ``seen`` (1,) int64."""
        return {
            "scores": np.array(self._scores, np.float64),
            "shares": np.array(self._shares, np.float64),
            "capitals": np.array([self.capital, self.highest], np.float64),
            "seen": np.array([self.seen], np.int64),
        }

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]], threshold: float, *, seed: int = 0) -> Self:
        """A test that goes on from `as_arrays` as if it had never been interrupted.

        Only the random part of ranks, the order of equal scores, is drawn anew. It depends on `seed` and on how many
        parts were seen, so that nothing is drawn twice.

        Raises:
            ArtifactError: the arrays are damaged: no test comes to these values.
        """
        found = cls((), threshold, seed=seed)
        scores, shares = (
            tensor_of(arrays, "scores", "F64", (None,)),
            tensor_of(arrays, "shares", "F64", (len(EXPERTS),)),
        )
        capitals, seen = tensor_of(arrays, "capitals", "F64", (2,)), tensor_of(arrays, "seen", "I64", (1,))
        found._scores, found._shares = scores.tolist(), shares.tolist()
        found.capital, found.highest = capitals.tolist()
        found.seen = int(seen[0])
        if (np.diff(scores) < 0).any() or (scores > threshold).any():
            raise ArtifactError("its scores are not in order or above the threshold: it is damaged")
        if not 0 <= found.seen < _MOST_SEEN or len(scores) < min(found.seen, REMEMBERED):
            raise ArtifactError("its scores do not fit their number: it is damaged")
        possible = 0 < found.capital <= found.highest <= _ENOUGH and found.highest >= 1 and (shares > 0).all()
        if not possible or not math.isclose(sum(found._shares), max(found.capital, _FLOOR), rel_tol=1e-6):
            raise ArtifactError("its capital is none that a test comes to: it is damaged")
        found._random = random.Random(f"{seed} {found.seen}")
        return found

    def add(self, score: float) -> None:
        """Bet on the next part's score."""
        if not score <= self.threshold:
            return
        first, after = bisect.bisect_left(self._scores, score), bisect.bisect_right(self._scores, score)
        equal = self._random.uniform(0, after - first + 1)
        p = (len(self._scores) - after + equal) / (len(self._scores) + 1)
        if len(self._scores) < REMEMBERED:
            self._scores.insert(after, score)
        mean = sum(self._shares) / len(EXPERTS)
        moved = [(1 - JUMP) * share + JUMP * mean for share in self._shares]
        self._shares = [share * (1 + expert * (p - 0.5)) for share, expert in zip(moved, EXPERTS, strict=True)]
        self.capital = sum(self._shares)
        if self.capital > _ENOUGH:
            self._shares = [share * (_ENOUGH / self.capital) for share in self._shares]
            self.capital = _ENOUGH
        self.highest = max(self.highest, self.capital)
        self.seen += 1
        if self.capital < _FLOOR:
            self._shares = [_FLOOR / len(EXPERTS)] * len(EXPERTS)
