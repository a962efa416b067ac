"""Flawspot beside anomalib, the field's most used library: time, memory, training and accuracy, in turns.

    python benchmarks/peer.py --data DATA --work FOLDER [--peer-venv VENV] [--rounds 2] [--bank-photographs 40]

DATA is a folder with mvtec_ad/bottle. Without --peer-venv the peer is installed into FOLDER/peer-venv first, which asks
the package index and says how much it fetches; nothing else asks a network, and the peer's libraries tell nobody. Each
figure is a line of FOLDER/rows.jsonl as soon as it is there, and a run that was ended goes on behind the last one: give
the same options again. Selecting banks takes the peer more than an hour on all photographs of bottle; with
--bank-photographs both sides select from fewer, and with --draw-banks the peer does not. The section is printed at the
end.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from beside.environment import check, make, python_of
from beside.rows import Rows
from beside.subjects import BACKBONE, OWN, PEER, SIDES, Subject
from beside.table import section
from beside.talking import SideError
from beside.turns import Sides, accuracy, take_turns

from flawspot.backbones.registry import family
from flawspot.backbones.weights import require
from flawspot.data.folders import open_folder
from flawspot.data.samples import Sample
from flawspot.errors import FlawspotError
from flawspot.files import check_folder

METHODS = ("patchcore", "padim", "stfpm")


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--product", default="mvtec_ad/bottle", help="a folder in DATA, in the MVTec layout")
    parser.add_argument("--work", type=Path, required=True, help="keeps detectors, rows and logs")
    parser.add_argument("--peer-venv", type=Path, help="an environment with the peer; none is made then")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--banks", type=int, nargs="+", default=[10_000, 30_000])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--training-threads", type=int, help="the most of --threads by default")
    parser.add_argument("--photographs", type=int, help="test photographs that are timed; all by default")
    parser.add_argument("--rounds", type=int, default=2, help="how often each of them is")
    parser.add_argument("--bank-photographs", type=int, help="good photographs that banks are selected from; all")
    parser.add_argument(
        "--draw-banks",
        action="store_true",
        help="the peer's banks at random and not selected, for a quick look: its times are the same, and its training "
        "and accuracy with them are left out",
    )
    parser.add_argument("--epochs", type=int, default=100, help="of STFPM; the paper's by default")
    options = parser.parse_args(arguments)
    if options.training_threads is None:
        options.training_threads = max(options.threads)
    threads = [*options.threads, options.training_threads]
    limits = [count for count in (options.photographs, options.bank_photographs) if count is not None]
    counts = [*options.banks, *threads, options.rounds, options.epochs, *limits]
    if min(counts) < 1 or max(threads) > (os.cpu_count() or 1):
        parser.error("counts are 1 or more, and threads no more than this machine has cores")
    try:
        check_folder(options.work)
    except FlawspotError as error:
        parser.error(f"--work: {error}")
    return options


def evenly(items: Sequence[Path], count: int | None) -> list[Path]:
    """`count` of the items, spread over all of them; None for all."""
    if count is None or count >= len(items):
        return list(items)
    return [items[index * len(items) // count] for index in range(count)]


def subjects(options: argparse.Namespace) -> list[Subject]:
    """What is compared, in the order of the tables."""
    found = [Subject("patchcore", bank=bank) for bank in options.banks] if "patchcore" in options.methods else []
    found += [Subject("padim")] if "padim" in options.methods else []
    return found + ([Subject("stfpm", epochs=options.epochs)] if "stfpm" in options.methods else [])


def measure(options: argparse.Namespace, rows: Rows, sides: Sides, good: list[Path], test: Sequence[Sample]) -> None:
    """Fill in the rows that are not there yet."""
    threads = max(options.threads)
    timed = evenly([sample.path for sample in test], options.photographs)
    for subject in subjects(options):
        learned = evenly(good, options.bank_photographs) if subject.bank else good
        for side in (OWN, PEER):
            key = {"row": "training", "subject": subject.name, "side": side}
            if rows.find(**key) is None or not sides.trained(side, subject).exists():
                say(f"{subject.title}: {side} is trained on {len(learned)} photographs")
                drawn = side == PEER and subject.bank > 0 and options.draw_banks
                trained = sides.train(side, subject, learned, options.training_threads, drawn)
                rows.add({**key, **trained, "drawn": drawn})
        for count in options.threads:
            key = {"row": "turns", "subject": subject.name, "threads": count}
            if rows.find(**key) is None:
                say(f"{subject.title}: turns, threads {count}, {options.rounds} x {len(timed)} photographs")
                rows.add({**key, "sides": take_turns(sides, subject, count, timed, options.rounds)})
        for side in SIDES:
            key = {"row": "accuracy", "subject": subject.name, "side": side}
            if rows.find(**key) is None and not (side != OWN and subject.bank and options.draw_banks):
                say(f"{subject.title}: accuracy of {side}")
                rows.add({**key, **accuracy(sides, side, subject, threads, test)})


def say(line: str) -> None:
    """Tell where it is, beside what is printed."""
    print(line, file=sys.stderr, flush=True)


def run(options: argparse.Namespace) -> None:
    """Measure what is missing, and print the section."""
    folder = open_folder(options.data / options.product)
    good, test = [Path(path) for path in folder.train], list(folder.test)
    if not good or not test or not folder.has_masks:
        raise SideError(f"{folder.root} needs train/good, test and ground_truth, in the MVTec layout")
    require(BACKBONE, family(BACKBONE).weights)
    options.work.mkdir(parents=True, exist_ok=True)
    given = options.peer_venv
    peer = make(options.work / "peer-venv") if given is None else python_of(given)
    settings = {
        **check(peer),
        "product": Path(options.product).name,
        "images": len(test),
        "calls": options.rounds * len(evenly([sample.path for sample in test], options.photographs)),
        "rounds": options.rounds,
        "bank_photographs": options.bank_photographs,
        "epochs": options.epochs,
        "draw_banks": options.draw_banks,
        "training_threads": options.training_threads,
    }
    rows = Rows(options.work / "rows.jsonl", settings)
    detectors = options.work / "detectors"
    detectors.mkdir(exist_ok=True)
    measure(options, rows, Sides(peer.absolute(), detectors.absolute()), good, test)
    print(section(rows, subjects(options), options.threads), end="")


def main() -> None:
    """Run; a mistake is one line."""
    try:
        run(parsed())
    except (SideError, FlawspotError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
