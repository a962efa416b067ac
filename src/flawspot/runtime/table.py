"""Many predictions as one table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flawspot.errors import ConfigurationError
from flawspot.runtime.not_inspected import NotInspected
from flawspot.runtime.prediction import Prediction
from flawspot.texts import shortened

_COLUMNS = (
    "path",
    "severity",
    "is_anomalous",
    "score",
    "threshold",
    "p_value",
    "regions",
    "anomalous_share",
    "box",
    "width",
    "height",
    "seconds",
    "verdict",
    "error",
)


def table(predictions: Iterable[Prediction | NotInspected] | Prediction | NotInspected) -> Any:
    """Convert predictions to columns with a row for each: a pandas DataFrame if pandas is installed, else a dict of
    lists.

        >>> columns = flawspot.table(detector.predict(["new.png", "photos/test/good/0.png"]))
        >>> list(columns["severity"])
        [2.3, 0.4]
        >>> list(columns)[:5]
        ['path', 'severity', 'is_anomalous', 'score', 'threshold']

    Both support ``columns["severity"]``. Without pandas a list of dicts may be more convenient:
    `flawspot.runtime.table.rows`.

    Args:
        predictions: predictions of one detector or several. A single prediction makes a table with one row.

    Returns:
        Columns ``path`` (None for a photograph from memory), ``severity``, ``is_anomalous``, ``score``, ``threshold``,
        ``p_value``, ``regions`` (their number), ``anomalous_share`` (of the photograph's area, in [0, 1]), ``box`` (of
        the most anomalous region, in pixels; None if there is none), ``width`` and ``height`` (pixels), ``seconds``,
        ``verdict`` (good, anomalous or not inspected) and ``error`` (the reason for not inspected, else None). Rows of
        photographs that were not inspected have None in all columns except path, verdict and error.

    Raises:
        ConfigurationError: an item is not a prediction.
    """
    listed = rows(predictions)
    columns = {name: [row[name] for row in listed] for name in _COLUMNS}
    try:
        import pandas
    except ModuleNotFoundError:
        return columns
    return pandas.DataFrame(columns)


def rows(predictions: Iterable[Prediction | NotInspected] | Prediction | NotInspected) -> list[dict[str, Any]]:
    """The same as a list of dicts, with or without pandas."""
    if isinstance(predictions, Prediction | NotInspected):
        predictions = [predictions]
    listed = list(predictions) if isinstance(predictions, Iterable) else [predictions]
    for each in listed:
        if not isinstance(each, Prediction | NotInspected):
            raise ConfigurationError(f"a table is made of predictions, not of {shortened(repr(each))}")
    return [dict(zip(_COLUMNS, _values(prediction), strict=True)) for prediction in listed]


def _values(prediction: Prediction | NotInspected) -> tuple[Any, ...]:
    if isinstance(prediction, NotInspected):
        told = prediction.to_dict()
        return tuple(told[name] if name in ("path", "verdict", "error") else None for name in _COLUMNS)
    regions = prediction.regions
    width, height = prediction.image_size
    return (
        None if prediction.path is None else str(prediction.path),
        prediction.severity,
        prediction.is_anomalous,
        prediction.score,
        prediction.threshold,
        prediction.p_value,
        len(regions),
        min(sum(region.area for region in regions) / (width * height), 1.0),
        regions[0].box if regions else None,
        width,
        height,
        prediction.seconds,
        prediction.verdict,
        None,
    )
