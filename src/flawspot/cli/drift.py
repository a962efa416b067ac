"""``flawspot drift``: whether good parts still look as they did in training."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flawspot.cli import ANOMALIES_FOUND, UNREADABLE_IMAGES
from flawspot.cli.console import note, print_json, print_pairs
from flawspot.cli.detectors import DEVICE, MAX_PIXELS, THREADS, TRUSTED_KEYS, load_tested
from flawspot.errors import ConfigurationError, DataError, ImageError, InspectionError
from flawspot.progress.display import DISPLAY
from flawspot.texts import counted, visible

if TYPE_CHECKING:
    from flawspot.data.drift_tests import DriftTests

ORDERS = ("time", "name")


def drift(
    file: Annotated[Path, typer.Argument(help="The artifact, an .onnx file.")],
    photographs: Annotated[list[str], typer.Argument(help="Photographs of parts: folders or patterns.")],
    order: Annotated[
        str, typer.Option(help="Order in which they were taken: by the files' time, or by name in natural order.")
    ] = "time",
    threads: THREADS = None,
    device: DEVICE = None,
    max_pixels: MAX_PIXELS = None,
    trusted_keys: TRUSTED_KEYS = None,
    fail_on_drift: Annotated[
        bool,
        typer.Option(
            "--fail-on-drift",
            help=f"Exit with code {ANOMALIES_FOUND} if parts have changed, or if none was good to compare.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say whether good parts have changed, at which photograph it shows, and what is different.

    Scores are held against those of training, or for a detector with a tolerance against the first photographs. Looks
    are held against the first 30 good photographs, so that a change before these does not show in them.

    The test raises a false alarm on at most one line in 1,000, however long it runs. Parts that are called anomalous
    are left out of it. A separate test tells when their share changes. Photographs that the detector was made from are
    left out, as far as the artifact and its state tell.
    """
    from flawspot.data.drift_tests import DriftTests

    if order not in ORDERS:
        raise ConfigurationError(f"--order is {order}: give {' or '.join(ORDERS)}")
    detector = load_tested(file, threads=threads, trusted_keys=trusted_keys, device=device, max_pixels=max_pixels)
    found, known = _unknown(file, photographs)
    if order == "time":
        found.sort(key=_time)
    tests = DriftTests.against(detector.manifest.calibration)
    counts = {"good": 0, "anomalous": 0, "not inspected": 0, "known": known}
    alarms: dict[str, tuple[int, Path]] = {}
    for number, path in enumerate(DISPLAY.track(found, "predicting", len(found)), 1):
        try:
            photograph = detector.read(path)
            prediction = detector.predict(photograph, keep_image=False)
        except (ImageError, InspectionError) as error:
            note(str(error))
            counts["not inspected"] += 1
            continue
        counts[prediction.verdict] += 1
        tests.add(photograph, prediction.score, prediction.is_anomalous)
        for name, changed in tests.alarms.items():
            if changed:
                alarms.setdefault(name, (number, path))
    if not as_json and not counts["good"] + counts["anomalous"]:
        note("nothing was inspected, so nothing is said of drift")
        raise typer.Exit(UNREADABLE_IMAGES)
    _tell(tests, counts, alarms, as_json)
    if counts["not inspected"]:
        raise typer.Exit(UNREADABLE_IMAGES)
    if fail_on_drift and (alarms or not counts["good"]):
        raise typer.Exit(ANOMALIES_FOUND)


def _unknown(file: Path, photographs: list[str]) -> tuple[list[Path], int]:
    """The photographs that the detector does not know, and how many it knows: their scores are no news."""
    from flawspot.data.learned import content_hash, known_photographs
    from flawspot.runtime.photographs import find_photographs

    given, known = [path for path, _ in find_photographs(photographs).found], known_photographs(file)
    found = []
    for path in given:
        with contextlib.suppress(DataError):  # predicting will say that it cannot be read
            if known and content_hash(path) in known:
                continue
        found.append(path)
    if not found:
        raise DataError(
            f"the detector was made from {'this photograph' if len(given) == 1 else f'all {len(given)} photographs'}: "
            "give later ones"
        )
    return found, len(given) - len(found)


def _tell(
    tests: DriftTests,
    counts: dict[str, int],
    alarms: dict[str, tuple[int, Path]],
    as_json: bool,
) -> None:
    from flawspot.data.appearance import FIRST

    test, changes, share = tests.scores, tests.looks.changes, tests.share
    if as_json:
        at = {name: {"photograph": number, "path": str(path)} for name, (number, path) in alarms.items()}
        told: dict[str, Any] = {
            **counts,
            "changed": bool(alarms),
            "compared": counts["good"] > 0,
            "evidence": test.evidence,
            "alarm_at": at.get("scores"),
            "alarms_at": at,
            "appearance": [vars(change) for change in changes],
            "anomalous_share": {"changed": share.alarm, "evidence": share.test.evidence},
        }
        print_json(told)
        return
    passed = f"{counts['anomalous']} anomalous, left out; {counts['not inspected']} not inspected"
    if counts["known"]:
        passed += f"; {counts['known']} left out, which the detector was made from"
    rows = [("photographs", f"{counts['good']} good; {passed}")]
    verdict = "no change is seen"
    if not counts["good"]:
        verdict = "nothing was compared: no photograph was judged good"
    if "scores" in alarms:
        verdict = f"changed: it shows at {_place(alarms['scores'])}"
    rows.append(("scores", f"{verdict} (evidence {test.evidence:.1f}, 3 is an alarm)"))
    rows += [("looks", f"{change} (evidence {change.evidence:.1f})") for change in changes]
    if "looks" in alarms:
        rows.append(("", f"the first of these shows at {_place(alarms['looks'])}"))
    elif counts["good"] > FIRST:
        rows.append(("looks", "light, contrast, sharpness and place are as in the first photographs"))
    elif counts["good"]:
        rows.append(("looks", f"nothing was compared: later photographs are held against the first {FIRST} good ones"))
    if share.alarm:
        where = f"it shows at {_place(alarms['verdicts'])}"
        evidence = f"evidence {share.test.evidence:.1f}"
        rows.append(("verdicts", f"{share}; {where} ({evidence}); the rows above leave anomalous parts out"))
    print_pairs(rows)
    if counts["good"] < 50:
        are = "is" if counts["good"] == 1 else "are"
        note(f"{counted(counts['good'], 'good photograph')} {are} few: a change shows after some 50 to 400")


def _place(alarm: tuple[int, Path]) -> str:
    number, path = alarm
    return f"photograph {number}, {visible(str(path))}"


def _time(path: Path) -> tuple[int, Any]:
    from flawspot.runtime.listing import natural_key

    try:
        return path.stat().st_mtime_ns, natural_key(path)
    except OSError:  # reading the file will report it
        return 0, natural_key(path)
