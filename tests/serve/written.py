"""A station's folder with a record in it, as a station would have written it."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from typing import Any

from flawspot.serve.anchor import write_anchor
from flawspot.serve.record import Record
from flawspot.serve.tokens import FILE, Role, Tokens


def result(index: int, **changed: Any) -> dict[str, Any]:
    """The body of a result."""
    verdict = ("good", "anomalous", "not inspected")[index % 3]
    regions = [{"box": [1, 2, 3, 4], "area": 0.5, "peak": 2.0, "mean": 1.5}] if verdict == "anomalous" else []
    return {
        "detector": "cap",
        "part": f"P{index}",
        "station": "line 1",
        "origin": "http",
        "name": f"{index}.png",
        "item": f"item {index}",
        "picture": hashlib.sha256(picture(index)).hexdigest(),
        "artifact": "a" * 64,
        "verdict": verdict,
        "score": None if verdict == "not inspected" else -0.5 * index,
        "threshold": 1.0,
        "severity": 0.5,
        "p_value": 0.25,
        "regions": regions,
        "image_size": [640, 480],
        "inspected_share": 1.0,
        "reason": "it is broken" if verdict == "not inspected" else None,
        "milliseconds": {"waited": 1.5, "judged": 20.25},
        "kept": True,
        **changed,
    }


def picture(index: int) -> bytes:
    """What stands for the bytes of a photograph."""
    return b"\x89PNG" + bytes([index % 256]) * 100


def station(folder: Path, results: int = 6) -> Path:
    """A folder with results, an operator's words on the second of them, their pictures, an anchor and a token."""
    Tokens(folder / FILE).add("anna", Role.OPERATOR)
    with Record(folder / "record.sqlite") as record:
        record.add("station", {"event": "start"})
        for index in range(results):
            row = record.add("result", result(index))
            keep(folder, picture(index))
            if index == 1:
                said = {"result": row.number, "boxes": [], "by": "anna", "role": "operator", "note": ""}
                record.add("word", {**said, "word": "hold"})
                record.add("word", {**said, "word": "false alarm", "note": "=a reflection"})
        write_anchor(record)
    return folder


def keep(folder: Path, content: bytes) -> Path:
    """Put a picture where the station keeps it."""
    name = hashlib.sha256(content).hexdigest()
    path = folder / "pictures" / name[:2] / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def tamper(folder: Path, *statements: str) -> None:
    """Change the record as somebody would who has its file and knows SQL."""
    database = sqlite3.connect(folder / "record.sqlite")
    triggers = list(database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
    for name, _ in triggers:
        database.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        database.execute(statement)
    for _, made in triggers:
        database.execute(made)
    database.commit()
    database.close()


def overwrite(folder: Path, number: int, beginning: bytes) -> None:
    """Put other bytes where the body of a row begins, as a disk that fails would: no SQL takes what is no JSON."""
    path = folder / "record.sqlite"
    database = sqlite3.connect(path)
    (body,) = database.execute("SELECT body FROM rows WHERE number = ?", (number,)).fetchone()
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    held, content = body.encode(), path.read_bytes()
    assert content.count(held) == 1
    path.write_bytes(content.replace(held, beginning + held[len(beginning) :]))
