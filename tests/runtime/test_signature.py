"""Signed artifacts: what a trusted key has signed runs, and nothing else."""

import json
import os
import stat

import pytest

import flawspot
from flawspot.errors import ArtifactError, SignatureError
from flawspot.runtime.artifact import SIGNATURE_KEY, assemble, metadata_entry, own_metadata, read
from flawspot.runtime.signature import TRUSTED_KEYS, make_key, sign, signature_of, verify


@pytest.fixture
def keys(tmp_path):
    """Two keys: ours and another one, each with its .pub file beside it."""
    paths = tmp_path / "ours", tmp_path / "another"
    for path in paths:
        make_key(path)
    return paths


def public(path):
    return path.with_name(path.name + ".pub")


@pytest.fixture
def artifact(tiny_model, tiny_manifest):
    return assemble(tiny_model, tiny_manifest)


def test_a_signed_artifact_is_the_same_detector(artifact, keys, tmp_path):
    signed = sign(artifact, keys[0])
    assert signature_of(artifact) is None
    assert verify(signed, [public(keys[1]), public(keys[0])]) == signature_of(signed).key_id
    signed.save(tmp_path / "part.onnx")
    again = read(tmp_path / "part.onnx")
    assert again.manifest == artifact.manifest
    assert verify(again, [public(keys[0])])
    assert sign(signed, keys[0]).model == signed.model  # Ed25519 has no chance in it
    assert verify(sign(signed, keys[1]), [public(keys[1])])


def test_what_is_refused(artifact, keys, tiny_manifest):
    signed = sign(artifact, keys[0])
    with pytest.raises(SignatureError, match="not signed"):
        verify(artifact, [public(keys[0])])
    with pytest.raises(SignatureError, match="not trusted"):
        verify(signed, [public(keys[1])])
    with pytest.raises(SignatureError, match="not trusted"):
        verify(signed, [])
    changed = signed.recalibrated(0.5)
    assert signature_of(changed) is None  # another threshold is another manifest
    entry = metadata_entry(SIGNATURE_KEY, own_metadata(signed.model)[SIGNATURE_KEY])
    forged = flawspot.Artifact(changed.manifest, changed.model + entry)
    with pytest.raises(SignatureError, match="was changed after"):
        verify(forged, [public(keys[0])])


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "x", '{"algorithm": "ed25519", "key": 5}', '{"algorithm": "x", "key": "", "signature": ""}'],
)
def test_a_damaged_signature(artifact, keys, text):
    broken = flawspot.Artifact(artifact.manifest, artifact.model + metadata_entry(SIGNATURE_KEY, text))
    with pytest.raises(SignatureError, match="sign"):
        verify(broken, [public(keys[0])])


def test_a_device_that_names_keys(artifact, keys, tmp_path, monkeypatch):
    signed, path = sign(artifact, keys[0]), tmp_path / "part.onnx"
    signed.save(path)
    assert flawspot.load(path).manifest.product == "a part"
    assert flawspot.load(path, trusted_keys=[public(keys[0])])
    with pytest.raises(SignatureError, match=r"part\.onnx cannot be used: it is signed by key"):
        flawspot.load(path, trusted_keys=[public(keys[1])])
    with pytest.raises(SignatureError, match="not trusted"):
        flawspot.load(path, trusted_keys=[])
    monkeypatch.setenv(TRUSTED_KEYS, os.pathsep.join(map(str, [public(keys[1]), public(keys[0])])))
    assert flawspot.load(path)
    with pytest.raises(SignatureError, match="not signed"):
        flawspot.load(artifact)
    monkeypatch.setenv(TRUSTED_KEYS, os.pathsep)
    with pytest.raises(SignatureError, match="names no file"):
        flawspot.load(path)
    monkeypatch.setenv(TRUSTED_KEYS, "")
    assert flawspot.load(path)
    monkeypatch.setenv(TRUSTED_KEYS, str(tmp_path / "gone.pub"))
    with pytest.raises(SignatureError, match=r"cannot read the key .*gone\.pub"):
        flawspot.load(path)


def test_keys_are_made_once_and_kept_private(tmp_path, keys):
    with pytest.raises(SignatureError, match="never overwritten"):
        make_key(keys[0])
    if os.name != "nt":
        assert stat.S_IMODE(keys[0].stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_files_that_are_no_keys(artifact, tmp_path, content):
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(SignatureError, match="not a private Ed25519 key"):
        sign(artifact, path)
    with pytest.raises(SignatureError, match="not a public Ed25519 key"):
        verify(artifact, [path])
    with pytest.raises(SignatureError, match="cannot read the key"):
        sign(artifact, tmp_path / "gone")


def test_the_keys_of_others_serve(artifact, tmp_path):
    """As openssl writes them."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    pem, pkcs8, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key = ed25519.Ed25519PrivateKey.generate()
    (tmp_path / "key").write_bytes(key.private_bytes(pem, pkcs8, plain))
    (tmp_path / "pub").write_bytes(key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    assert verify(sign(artifact, tmp_path / "key"), [tmp_path / "pub"])
    (tmp_path / "ec").write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(pem, pkcs8, plain))
    with pytest.raises(SignatureError, match="not a private Ed25519 key"):
        sign(artifact, tmp_path / "ec")


def test_a_signature_that_is_no_text_does_not_hide_a_changed_graph(artifact, keys, tmp_path):
    signed = sign(artifact, keys[0])
    data = bytearray(signed.model)
    data[20] ^= 1
    (tmp_path / "part.onnx").write_bytes(data)
    with pytest.raises(ArtifactError):
        read(tmp_path / "part.onnx")
    assert json.loads(own_metadata(signed.model)[SIGNATURE_KEY])["algorithm"] == "ed25519"
