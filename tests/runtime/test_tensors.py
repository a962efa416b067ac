"""The safetensors format: what is written is read again, and nothing else is."""

import json
import struct

import numpy as np
import pytest

from flawspot.errors import ArtifactError
from flawspot.runtime.tensors import TYPES, read_tensors, tensor_of, within, write_tensors

TENSORS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "none": np.empty((0, 4), np.float64),
    "one": np.array(7, np.int64),
    "halves": np.ones((2, 1, 2), np.float16),
    "bytes": np.arange(5, dtype=np.uint8),
}


def written(tensors=TENSORS, metadata=None):
    return b"".join(write_tensors(tensors, {"said": "ja"} if metadata is None else metadata))


def with_header(header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def test_it_is_read_as_it_was_written():
    tensors, metadata = read_tensors(written())
    assert metadata == {"said": "ja"}
    assert list(tensors) == list(TENSORS)
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        np.testing.assert_array_equal(tensors[name], tensor)
        assert not tensors[name].flags.writeable


@pytest.mark.parametrize("name", TYPES)
def test_every_type(name):
    tensor = np.array([[1, 0], [3, 4]], TYPES[name])
    np.testing.assert_array_equal(read_tensors(written({"x": tensor}))[0]["x"], tensor)


def test_the_header_is_that_of_the_format():
    data = written({"x": np.zeros((2, 2), np.float32)})
    length = struct.unpack("<Q", data[:8])[0]
    assert length % 8 == 0
    header = json.loads(data[8 : 8 + length])
    assert header["x"] == {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
    assert header["__metadata__"].pop("said") == "ja"
    assert list(header["__metadata__"]) == ["flawspot.sha256"]


ENTRY = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "not a file of tensors"),
        (b"\xff" * 8, "not a file of tensors"),
        (struct.pack("<Q", 100) + b"{}", "not a file of tensors"),
        (with_header(b"[" * 10_000), "not a JSON object"),
        (with_header(b"\xff\xfe"), "not a JSON object"),
        (with_header([1]), "not a JSON object"),
        (with_header({str(n): ENTRY for n in range(10_001)}), "not a JSON object"),
        (with_header({"__metadata__": {"a": 1}}), "not texts"),
        (with_header({"x": 1}), "damaged at 'x'"),
        (with_header({"x": ENTRY | {"dtype": "F8"}}, b"0000"), "damaged at 'x'"),
        (with_header({"x": ENTRY | {"dtype": []}}, b"0000"), "damaged at 'x'"),
        (with_header({"x": ENTRY | {"shape": [0, 1 << 39, 1 << 39], "data_offsets": [0, 0]}}), "damaged at 'x'"),
        (with_header({"x": ENTRY | {"shape": [-1]}}, b"0000"), "damaged at 'x'"),
        (with_header({"x": ENTRY | {"shape": [True]}}, b"0000"), "damaged at 'x'"),
        (with_header({"x": ENTRY | {"shape": [1] * 9}}, b"0000"), "damaged at 'x'"),
        (with_header({"x": ENTRY | {"shape": [1 << 39, 1 << 39]}}, b"0000"), "damaged at 'x'"),
        (with_header({"x": ENTRY | {"data_offsets": [0]}}, b"0000"), "damaged at 'x'"),
        (with_header({"x": ENTRY | {"data_offsets": [4, 8]}}, b"00000000"), "damaged at 'x'"),
        (with_header({"x": ENTRY}, b"000"), "cut off at 'x'"),
        (with_header({"x": ENTRY, "y": ENTRY}, b"0000"), "damaged at 'y'"),
        (with_header({"x": ENTRY, "y": ENTRY | {"data_offsets": [4, 8]}}, b"0000"), "cut off at 'y'"),
        (with_header({"x": ENTRY}, b"00000"), "belong to no tensor"),
    ],
)
def test_what_is_damaged_is_refused(data, told):
    with pytest.raises(ArtifactError, match=told):
        read_tensors(data)


def test_a_header_that_would_not_be_read_again_is_not_written():
    with pytest.raises(ArtifactError, match="shorter ones"):
        written(metadata={"names": "x" * (17 << 20)})


def test_every_flipped_bit_of_the_numbers_is_noticed():
    data = b"".join(write_tensors({"x": np.arange(3, dtype=np.float32), "y": np.ones(2, np.uint8)}, {"of": "part"}))
    read_tensors(data)
    for place in range(len(data) - 14, len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[place] ^= 1 << bit
            with pytest.raises(ArtifactError, match="checksum"):
                read_tensors(bytes(damaged))


def test_a_changed_text_or_name_is_noticed_and_a_file_without_checksum_is_read():
    data = b"".join(write_tensors({"x": np.zeros(2, np.float32)}, {"of": "part"}))
    for old, new in ((b'"of"', b'"or"'), (b'"part"', b'"pars"'), (b'"x"', b'"z"')):
        with pytest.raises(ArtifactError, match="checksum"):
            read_tensors(data.replace(old, new))
    tensors, metadata = read_tensors(data.replace(b"flawspot.sha256", b"flawspot.sha25x"))
    assert list(tensors) == ["x"]
    assert metadata["of"] == "part"


def test_one_tensor_is_given_once_it_is_what_it_should_be():
    assert tensor_of(TENSORS, "a", "F32", (None, 3)) is TENSORS["a"]
    assert tensor_of(TENSORS, "none", "F64", (0, None)).size == 0
    for name, kind, shape in (("b", "F32", (2, 3)), ("a", "F64", (2, 3)), ("a", "F32", (2,)), ("a", "F32", (None, 2))):
        with pytest.raises(ArtifactError, match=f"its numbers '{name}'.*damaged"):
            tensor_of(TENSORS, name, kind, shape)
    for odd in (np.nan, np.inf):
        with pytest.raises(ArtifactError, match="are not finite"):
            tensor_of({"a": np.array([1.0, odd])}, "a", "F64", (2,))
    assert list(within({"a/b": TENSORS["a"], "ab": TENSORS["a"], "a/": TENSORS["a"]}, "a/")) == ["b", ""]
