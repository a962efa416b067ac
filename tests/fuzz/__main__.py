"""``make fuzz``: hostile artifacts, photographs, manifests and grids, for some minutes; see docs/trust.md."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    """Run, print the counts, and return 1 where something failed."""
    if sys.argv[1:] == ["--child"]:
        answers = os.dup(1)
        os.dup2(2, 1)
        from fuzzing.child import main as child

        child(answers)
        return 0
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=None, help="of all cases; by default another one each time")
    parser.add_argument("--jobs", type=int, default=1, help="child processes at once")
    parser.add_argument("--kinds", default="", help="only kinds that contain this")
    parser.add_argument("--most", type=int, default=None, help="cases of each kind")
    parser.add_argument("--keep", type=Path, default=Path(__file__).parent / "cases", help="folder for failing cases")
    parser.add_argument("--hand-made", choices=("first", "only", "no"), default="first", help="the cases made by hand")
    parser.add_argument("--tiny", action="store_true", help="train no detectors, use the tiny one alone")
    parser.add_argument("--detectors", type=Path, nargs="*", default=[], help="artifacts to use beside the tiny one")
    given = parser.parse_args()
    from fuzzing import catalogue, detectors
    from fuzzing.campaign import KINDS, Campaign

    seed = time.time_ns() % 10**9 if given.seed is None else given.seed
    kinds = [kind for kind in KINDS if given.kinds in kind]
    with tempfile.TemporaryDirectory() as folder:
        found = [detectors.tiny(Path(folder) / "tiny.onnx"), *given.detectors]
        if not given.tiny and not given.detectors:
            found += detectors.trained(Path(folder))
        campaign = Campaign(found, given.keep, kinds=kinds)
        for made in catalogue.cases() if given.hand_made != "no" else ():
            if given.kinds in made.name:
                campaign.by_hand(made)
        if given.hand_made != "only":
            campaign.run(seed, seconds=60 * given.minutes, jobs=given.jobs, most=given.most)
        result = campaign.result
    print(f"seed {seed}\n{result.table()}")
    return bool(result.failures)


if __name__ == "__main__":
    sys.exit(main())
