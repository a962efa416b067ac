"""Signed artifacts: Ed25519 (RFC 8032) over graph and manifest, kept in the model's metadata.

A checksum detects accidents, but anyone who can replace the file can replace the checksum too. A device with trusted
keys refuses every artifact that none of them has signed. It needs the extra ``sign``, which installs the cryptography
package.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flawspot.errors import SignatureError
from flawspot.extras import require
from flawspot.files import replacing, special_kind
from flawspot.runtime.artifact import SIGNATURE_KEY, Artifact, content_sha256, own_metadata, read, signed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

TRUSTED_KEYS = "FLAWSPOT_TRUSTED_KEYS"
"""Environment variable with files of public keys, separated as in PATH. Every artifact must be signed by one of
them."""
_CONTEXT = b"flawspot artifact, version 1\0"
_MAX_KEY_BYTES = 1 << 16

Key = str | os.PathLike[str]
"""The file of a public key (PEM), written by `make_key` or ``openssl pkey -pubout``."""


@dataclass(frozen=True)
class Signature:
    """A signature in an artifact.

    Attributes:
        key: the public key, 32 bytes.
        signature: 64 bytes.
    """

    key: bytes
    signature: bytes

    @property
    def key_id(self) -> str:
        """The key's id: 16 hexadecimal digits."""
        return key_id(self.key)


def key_id(public: bytes) -> str:
    """The first 16 hexadecimal digits of the sha256 of a public key's 32 bytes."""
    return hashlib.sha256(public).hexdigest()[:16]


def make_key(path: Path) -> str:
    """Make a key pair. The private key is written to `path`, readable only by its owner; the public one to ``.pub``
    beside it.

    Returns:
        The key's id.

    Raises:
        SignatureError: one of the files exists.
        MissingPackageError: the extra ``sign`` is not installed.
        FlawspotError: they cannot be written.
    """
    require("cryptography", "making a key")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public_path = path.with_name(path.name + ".pub")
    for each in (path, public_path):
        if each.exists():
            raise SignatureError(f"{each} exists: a key is never overwritten, give another name")
    private = Ed25519PrivateKey.generate()
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    secret = private.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    public = private.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    with replacing(path, private=True) as temporary:
        temporary.write_bytes(secret)
    with replacing(public_path) as temporary:
        temporary.write_bytes(public)
    return key_id(private.public_key().public_bytes_raw())


def sign(artifact: Artifact, key: Key) -> Artifact:
    """Sign the artifact with the private key in the file `key` (PEM, unencrypted).

    Raises:
        SignatureError: the key cannot be read, or is not an Ed25519 key.
        MissingPackageError: the extra ``sign`` is not installed.
    """
    require("cryptography", "signing")
    private = _private_key(Path(key))
    text = json.dumps(
        {
            "algorithm": "ed25519",
            "key": private.public_key().public_bytes_raw().hex(),
            "signature": private.sign(_message(artifact)).hex(),
        }
    )
    return signed(artifact, text)


def signature_of(artifact: Artifact) -> Signature | None:
    """The signature of an artifact, not verified; None if there is none.

    Raises:
        SignatureError: the data are not a signature.
    """
    text = own_metadata(artifact.model).get(SIGNATURE_KEY)
    if text is None:
        return None
    try:
        data = json.loads(text)
        found = Signature(bytes.fromhex(data["key"]), bytes.fromhex(data["signature"]))
        known = data["algorithm"] == "ed25519"
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SignatureError("its signature is damaged: sign it again") from None
    if not known or len(found.key) != 32 or len(found.signature) != 64:
        raise SignatureError("its signature is of a kind that this flawspot does not know: update it, or sign again")
    return found


def verify(artifact: Artifact, trusted_keys: Sequence[Key]) -> str:
    """Check that one of the trusted keys has signed the artifact in its present form.

    Returns:
        The id of that key.

    Raises:
        SignatureError: it is unsigned, signed by another key, or was changed after signing.
        MissingPackageError: the extra ``sign`` is not installed.
    """
    require("cryptography", "verifying a signature")
    from cryptography.exceptions import InvalidSignature

    known = {public.public_bytes_raw(): public for public in (_public_key(Path(key)) for key in trusted_keys)}
    found = signature_of(artifact)
    trusted = ", ".join(key_id(raw) for raw in known) or "none"
    if found is None:
        raise SignatureError(f"it is not signed, and only artifacts signed by a trusted key may run ({trusted})")
    if found.key not in known:
        raise SignatureError(f"it is signed by key {found.key_id}, which is not trusted ({trusted})")
    try:
        known[found.key].verify(found.signature, _message(artifact))
    except InvalidSignature:
        raise SignatureError(f"it was changed after key {found.key_id} signed it: get or sign it again") from None
    return found.key_id


def check_trusted(artifact: Artifact, what: str, trusted_keys: Sequence[Key] | None) -> None:
    """Refuse an artifact that none of the trusted keys has signed, if there are any.

    Args:
        artifact: the artifact.
        what: its name in an error message.
        trusted_keys: files of public keys. None takes the keys in FLAWSPOT_TRUSTED_KEYS; without any, no signature is
            needed.

    Raises:
        SignatureError: as for `verify`, with the name `what`.
    """
    keys = trusted_keys_of_environment() if trusted_keys is None else trusted_keys
    if keys or trusted_keys is not None:
        try:
            verify(artifact, keys)
        except SignatureError as error:
            raise SignatureError(f"{what} cannot be used: {error}") from None


def read_trusted(path: str | Path, trusted_keys: Sequence[Key] | None = None) -> Artifact:
    """Read an artifact with `flawspot.runtime.artifact.read`, and check it with `check_trusted`.

    Raises:
        ArtifactError: as for `flawspot.runtime.artifact.read`.
        SignatureError: as for `check_trusted`.
    """
    artifact = read(path)
    check_trusted(artifact, str(path), trusted_keys)
    return artifact


def trusted_keys_of_environment() -> list[str]:
    """The files listed in FLAWSPOT_TRUSTED_KEYS.

    Raises:
        SignatureError: it is set but empty. A device meant to trust somebody must not trust everybody.
    """
    value = os.environ.get(TRUSTED_KEYS, "")
    names = [name for name in value.split(os.pathsep) if name]
    if value and not names:
        raise SignatureError(f"{TRUSTED_KEYS} is set and names no file: name the public keys, or unset it")
    return names


def _message(artifact: Artifact) -> bytes:
    """The signed message: the hash of graph and manifest."""
    return _CONTEXT + content_sha256(artifact.model).encode()


def _key_bytes(path: Path) -> bytes:
    try:
        kind = special_kind(path)
        if kind is not None:
            raise SignatureError(f"cannot read the key {path}: it is {kind}")
        with path.open("rb") as file:
            return file.read(_MAX_KEY_BYTES)
    except (OSError, ValueError) as error:
        raise SignatureError(f"cannot read the key {path}: {getattr(error, 'strerror', None) or error}") from None


def _private_key(path: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_key_bytes(path), None)
    except SignatureError:
        raise
    except Exception:  # the library raises ValueError, TypeError and its own classes
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SignatureError(f"{path} is not a private Ed25519 key without password: make one with `flawspot make-key`")
    return key


def _public_key(path: Path) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(_key_bytes(path))
    except SignatureError:
        raise
    except Exception:  # as above
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise SignatureError(f"{path} is not a public Ed25519 key: give the .pub file that `flawspot make-key` wrote")
    return key
