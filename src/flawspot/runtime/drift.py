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
from collections.abc import Sequence

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

    def __str__(self) -> str:
        earlier, recent = self.test.seen - len(self._recent), len(self._recent)
        before = 100 * self._before / max(earlier, 1)
        now = 100 * sum(self._recent) / max(recent, 1)
        return f"parts that are called anomalous {before:.3g} -> {now:.3g} %"


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
