"""Tensors in the form of the Open Inference Protocol: in the JSON, or as bytes after it."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.serve.api.access import AskError
from flawspot.texts import is_unicode

TYPES = {"UINT8": "<u1", "FP32": "<f4", "FP64": "<f8", "INT64": "<i8"}
_MOST_NUMBERS = 2**28
_MOST_DIMENSIONS = 8
_MOST_IN_JSON, _MOST_LISTS = 2**22, 2**21
"""Enough numbers and lists for a megapixel in three colours as nested lists."""


@dataclass(frozen=True)
class Asked:
    """A parsed inference request.

    Attributes:
        inputs: the inputs by name: arrays of numbers, or lists of the bytes of files.
        outputs: names of the wanted outputs; None for all.
        binary: names of the outputs wanted as bytes.
        id: id of the request.
    """

    inputs: dict[str, NDArray[Any] | list[bytes]]
    outputs: list[str] | None
    binary: set[str]
    id: str | None


def read_request(body: bytes, header_length: int | None) -> Asked:
    """Read the body of ``infer``.

    Args:
        body: JSON, and after it the bytes of inputs with ``binary_data_size``.
        header_length: length of the JSON if bytes follow, from the header ``Inference-Header-Content-Length``.

    Raises:
        AskError: the request does not follow the protocol.
    """
    if header_length is not None and not 0 < header_length <= len(body):
        raise AskError("Inference-Header-Content-Length is not the length of the JSON before the bytes")
    text = body[:header_length]
    # Checked before parsing: 32 MiB of `[],` would become more than a gigabyte and block all other requests.
    if text.count(b",") > _MOST_IN_JSON or text.count(b"[") + text.count(b"{") > _MOST_LISTS:
        raise AskError("the JSON holds too many numbers: send their bytes after it, or the BYTES of files", 413)
    try:
        asked = json.loads(text)
        rest = body[header_length:] if header_length is not None else b""
        inputs: dict[str, NDArray[Any] | list[bytes]] = {}
        for each in asked["inputs"]:
            size = each.get("parameters", {}).get("binary_data_size")
            raw, rest = (None, rest) if size is None else (rest[:size], rest[size:])
            inputs[str(each["name"])] = _array(each, raw)
        wanted = asked.get("outputs") or None
        names = None if wanted is None else list(dict.fromkeys(str(each["name"]) for each in wanted))
        binary = {str(each["name"]) for each in wanted or () if each.get("parameters", {}).get("binary_data")}
        if wanted is None and asked.get("parameters", {}).get("binary_data_output"):
            binary = {"*"}
        if not is_unicode(str(asked.get("id"))):
            raise AskError("the id is not a text")
        return Asked(inputs, names, binary, None if asked.get("id") is None else str(asked["id"])[:200])
    except AskError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError, struct.error) as error:
        raise AskError(f"the request does not follow the Open Inference Protocol ({type(error).__name__})") from error


def _array(tensor: dict[str, Any], raw: bytes | None) -> NDArray[Any] | list[bytes]:
    name, kind = tensor["name"], tensor["datatype"]
    shape = [int(each) for each in tensor["shape"]]
    # Each number is checked first, as the product of thousands of long numbers would take very long.
    can_be = len(shape) <= _MOST_DIMENSIONS and all(0 <= each <= _MOST_NUMBERS for each in shape)
    count = math.prod(shape) if can_be else 0
    if not can_be or count > _MOST_NUMBERS:
        raise AskError(f"input {str(name)[:50]!r} has an impossible shape")
    if kind == "BYTES":
        found = _split(raw) if raw is not None else [_encoded(each) for each in tensor["data"]]
        if len(found) != count:
            raise AskError(f"input {str(name)[:50]!r} holds {len(found)} elements, but its shape needs {count}")
        return found
    if kind not in TYPES:
        raise AskError(f"input {str(name)[:50]!r} is of {str(kind)[:20]}: give UINT8 pixels or the BYTES of files")
    if raw is not None:
        numbers: NDArray[Any] = np.frombuffer(raw, TYPES[kind])
    else:
        numbers = np.asarray(tensor["data"])
        if numbers.dtype.kind not in "iuf" or (
            kind == "UINT8" and numbers.size and not 0 <= numbers.min() <= numbers.max() <= 255
        ):
            raise AskError(f"input {str(name)[:50]!r} holds values that are not {kind}")
        numbers = numbers.astype(TYPES[kind]).ravel()
    if numbers.size != count:
        raise AskError(f"input {str(name)[:50]!r} holds {numbers.size} numbers, but its shape needs {count}")
    return numbers.reshape(shape)


def _encoded(element: Any) -> bytes:
    """Bytes from a text in base64, as JSON has no bytes."""
    import base64

    if not isinstance(element, str):
        raise AskError("elements of BYTES must be texts: give the base64 of a file")
    return base64.b64decode(element, validate=True)


def _split(raw: bytes) -> list[bytes]:
    """Split bytes into elements. Each has its length in 4 bytes before it."""
    found, place = [], 0
    while place < len(raw):
        (size,) = struct.unpack_from("<I", raw, place)
        if place + 4 + size > len(raw):
            raise AskError("an element of BYTES is longer than the bytes sent")
        found.append(raw[place + 4 : place + 4 + size])
        place += 4 + size
    return found


def write_answer(
    head: dict[str, Any], outputs: dict[str, NDArray[Any] | list[str]], binary: set[str]
) -> tuple[bytes, int | None]:
    """The body of an answer, and the length of its JSON if bytes follow.

    Args:
        head: ``model_name``, ``model_version`` and ``id``.
        outputs: arrays of float32, or lists of texts, by their names.
        binary: names of the outputs to write as bytes; ``*`` for all.
    """
    tensors, rest = [], b""
    for name, values in outputs.items():
        is_text = isinstance(values, list)
        shape = [len(values)] if isinstance(values, list) else list(values.shape)
        tensor: dict[str, Any] = {"name": name, "datatype": "BYTES" if is_text else "FP32", "shape": shape}
        if name in binary or "*" in binary:
            if isinstance(values, list):
                raw = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in values)
            else:
                raw = np.ascontiguousarray(values, "<f4").tobytes()
            tensor["parameters"] = {"binary_data_size": len(raw)}
            rest += raw
        else:
            tensor["data"] = values if isinstance(values, list) else [float(each) for each in values.ravel()]
        tensors.append(tensor)
    text = json.dumps({**head, "outputs": tensors}).encode()
    return text + rest, len(text) if rest else None
