"""Artifacts that are damaged, and ones that whoever has the file can make: checksum and graph hash computed anew."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx

from flawspot.errors import ArtifactError
from flawspot.runtime.artifact import (
    CHECKSUM_KEY,
    MANIFEST_KEY,
    SIGNATURE_KEY,
    _hashes,
    _own_left_out,
    graph_sha256,
    metadata_entry,
    read,
)
from fuzzing import bytes as of_bytes
from fuzzing import protobuf_fields
from fuzzing.graph_changes import changed
from fuzzing.texts import mutated_text, mutated_value


@dataclass(frozen=True)
class Base:
    """An artifact that is right, taken apart."""

    path: Path
    data: bytes
    graph: bytes
    manifest: dict[str, object]


def base(path: Path) -> Base:
    """The artifact at `path`."""
    data = path.read_bytes()
    return Base(path, data, b"".join(_own_left_out(data)), read(path).manifest.as_dict())


def sealed(graph: bytes, manifest: str) -> bytes:
    """`graph` with `manifest` and the checksum that goes with both.

    Raises:
        ArtifactError: the graph is no protobuf message, so that nobody could.
    """
    entries = [metadata_entry(MANIFEST_KEY, manifest), metadata_entry(CHECKSUM_KEY, _hashes(graph, manifest)[1])]
    return b"".join([*_own_left_out(graph), *entries])


def bound(graph: bytes, manifest: dict[str, object]) -> bytes:
    """As `sealed`, with the manifest bound to the graph."""
    return sealed(graph, json.dumps({**manifest, "graph_sha256": graph_sha256(graph)}))


def damaged(base: Base, rng: random.Random) -> bytes:
    """Bytes changed, and nothing computed anew: a bad disk, a bad line."""
    tail = len(base.data) - len(base.graph)
    if rng.random() < 0.3:  # where manifest and checksum are
        return base.data[:-tail] + of_bytes.mutated(base.data[-tail:], rng)
    return of_bytes.mutated(base.data, rng)


def entries(base: Base, rng: random.Random) -> bytes:
    """Metadata added, doubled and moved, the signature among them."""
    keys = (MANIFEST_KEY, CHECKSUM_KEY, SIGNATURE_KEY, "", "x", "flawspot.manifest\0")
    text = (
        json.dumps(mutated_value(base.manifest, rng)) if rng.random() < 0.5 else rng.choice(("", "0" * 64, "{}", "\n"))
    )
    entry = metadata_entry(rng.choice(keys), text.encode(errors="replace").decode())
    return b"".join(rng.choice(((base.data, entry), (entry, base.data), (base.data, entry * 100))))


def resealed(base: Base, rng: random.Random) -> bytes:
    """The graph's bytes changed."""
    return bound(of_bytes.mutated(base.graph, rng), base.manifest)


def fields(base: Base, rng: random.Random) -> bytes:
    """The graph changed field by field."""
    return bound(protobuf_fields.mutated(base.graph, rng), base.manifest)


def structures(base: Base, rng: random.Random) -> bytes:
    """The graph changed as a graph: operators, shapes, attributes, and what no detector has."""
    model = onnx.load_from_string(base.graph)
    for _ in range(rng.choice((1, 1, 2, 3))):
        changed(model, rng)
    return bound(model.SerializeToString(), base.manifest)


def values(base: Base, rng: random.Random) -> bytes:
    """Values of the manifest changed."""
    return sealed(base.graph, json.dumps(mutated_value(base.manifest, rng)))


def texts(base: Base, rng: random.Random) -> bytes:
    """The manifest's text changed."""
    text = mutated_text(json.dumps(base.manifest), rng)
    return sealed(base.graph, text.encode(errors="replace").decode())


KINDS: dict[str, Callable[[Base, random.Random], bytes]] = {
    "artifact, damaged": damaged,
    "artifact, metadata": entries,
    "artifact, bytes resealed": resealed,
    "artifact, fields resealed": fields,
    "artifact, graph resealed": structures,
    "artifact, manifest values": values,
    "artifact, manifest text": texts,
}


def case(kind: str, base: Base, rng: random.Random) -> bytes:
    """A case of `kind`. Where nobody could compute a checksum, because it is no message any more, the next one is."""
    while True:
        try:
            return KINDS[kind](base, rng)
        except (ArtifactError, ValueError, onnx.onnx_cpp2py_export.checker.ValidationError):
            continue


def manifest_text(base: Base, rng: random.Random) -> bytes:
    """A manifest alone."""
    if rng.random() < 0.5:
        text = json.dumps(mutated_value(base.manifest, rng))
    else:
        text = mutated_text(json.dumps(base.manifest), rng)
    data = text.encode(errors="replace")
    return of_bytes.mutated(data, rng) if rng.random() < 0.1 else data
