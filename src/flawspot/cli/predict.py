"""``flawspot predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from flawspot.cli import ANOMALIES_FOUND, UNREADABLE_IMAGES
from flawspot.cli import predict_options as options
from flawspot.cli.console import err, note, styled
from flawspot.cli.detectors import DEVICE, FAST_JPEG, MAX_PIXELS, THREADS, TRUSTED_KEYS, load_tested
from flawspot.cli.interruption import exit_code_of
from flawspot.cli.outputs import refuse_input
from flawspot.cli.streams import OutputError
from flawspot.errors import FlawspotError, ImageError, InspectionError
from flawspot.progress.display import DISPLAY
from flawspot.texts import counted, listed

if TYPE_CHECKING:
    from flawspot.cli.prediction_inputs import Feed
    from flawspot.cli.prediction_outputs import Outputs
    from flawspot.runtime.detector import Detector
    from flawspot.runtime.photographs import Photographs

EXPLAINED = "severity: score / threshold, anomalous above 1;  p-value: share of good parts with at least this score"


def predict(
    file: options.FILE,
    images: options.IMAGES = None,
    from_list: options.LIST = None,
    output: options.OUT = None,
    picture_format: options.FORMAT = options.PictureFormat.jpg,
    maps: options.MAPS = None,
    maps_format: options.MAPS_FORMAT = options.MapFormat.npy,
    table: options.CSV = None,
    only_anomalous: options.ONLY_ANOMALOUS = False,
    every: options.EVERY = 1,
    watch: options.WATCH = False,
    threads: THREADS = None,
    device: DEVICE = None,
    max_pixels: MAX_PIXELS = None,
    fast_jpeg: FAST_JPEG = False,
    trusted_keys: TRUSTED_KEYS = None,
    fail_on_anomaly: options.FAIL_ON_ANOMALY = False,
    strict: options.STRICT = False,
    as_json: options.AS_JSON = False,
) -> None:
    """Find the defects in new photographs."""
    from flawspot.cli.prediction_inputs import open_feed
    from flawspot.cli.prediction_outputs import Outputs, Wanted

    suffixes = {"suffix": f".{picture_format.value}", "maps_suffix": f".{maps_format.value}"}
    wanted = Wanted(output, maps=maps, table=table, only_anomalous=only_anomalous, as_json=as_json, **suffixes)
    refuse_input(table, file, from_list, *map(Path, images or []))
    wanted.check()
    detector = load_tested(
        file, threads=threads, fast_jpeg=fast_jpeg, trusted_keys=trusted_keys, device=device, max_pixels=max_pixels
    )
    feed = open_feed(images or [], from_list, every, watch)
    _tell_passed_over(feed.still)
    outputs = Outputs(wanted, detector.manifest.product, feed.shots, live=feed.live is not None)
    if not as_json:
        err.print(styled(EXPLAINED, "dim"))
    ended_by = None
    try:
        _predict(detector, feed, outputs, strict)
    except KeyboardInterrupt as error:
        if not feed.endless:
            raise
        ended_by = error  # watched folders and cameras always end this way
    except OutputError as error:
        if error.reader_is_gone and fail_on_anomaly:  # with it, exit code 0 would mean that all parts are good
            raise FlawspotError(f"{error}: not all photographs were inspected") from error
        raise
    finally:
        outputs.close()
        _tell(outputs, wanted.as_json)
    if ended_by is not None:
        if outputs.counts.unwritten:
            note(_unwritten(outputs.counts.unwritten))
        raise typer.Exit(exit_code_of(ended_by))
    _end(outputs, fail_on_anomaly)


def _predict(detector: Detector, feed: Feed, outputs: Outputs, strict: bool) -> None:
    """Predict, print and draw the photographs one by one."""
    from flawspot.runtime.not_inspected import NotInspected
    from flawspot.runtime.prediction import Prediction

    total = len(feed.shots) if feed.live is None else None
    for shot, image in DISPLAY.track(feed.readings(detector), "predicting", total):
        found: Prediction | NotInspected
        try:
            if isinstance(image, Exception):
                raise image
            found = detector.predict(image)
        except (ImageError, InspectionError) as error:
            if strict:
                raise
            found = NotInspected(error)
        outputs.add(shot, found)


def _tell_passed_over(photographs: Photographs) -> None:
    """Print how many files of a folder were left out because they are not photographs."""
    if photographs.drawn:
        note(f"passed over {counted(photographs.drawn, 'picture')} that flawspot drew itself")
    if photographs.companions:
        names = listed((path.name for path in photographs.companions), 5)
        note(f"passed over {counted(len(photographs.companions), 'file')} of texts and tables: {names}")


def _tell(outputs: Outputs, as_json: bool) -> None:
    counts = outputs.counts
    summary = counts.summary()
    if summary and not as_json:
        DISPLAY.clear()
        err.print(summary)
    elif counts.not_inspected:
        note(f"{counts.not_inspected} of {counts.predicted + counts.not_inspected} photographs were not inspected")


def _end(outputs: Outputs, fail_on_anomaly: bool) -> None:
    """Exit with a code. Photographs that were not inspected decide first, as their verdict is unknown."""
    counts = outputs.counts
    if counts.not_inspected:
        raise typer.Exit(UNREADABLE_IMAGES)
    if fail_on_anomaly and counts.anomalous:
        raise typer.Exit(ANOMALIES_FOUND)
    if counts.unwritten:
        raise FlawspotError(_unwritten(counts.unwritten))


def _unwritten(count: int) -> str:
    return f"{count} files could not be written: the printed verdicts above are complete"
