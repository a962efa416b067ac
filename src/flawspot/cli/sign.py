"""``flawspot make-key``, ``sign`` and ``verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flawspot.cli.console import print_json, print_pairs

ARTIFACT = Annotated[Path, typer.Argument(help="The artifact, an .onnx file.")]
JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def make_key(
    file: Annotated[Path, typer.Argument(help="Where to write the private key; the public one goes to FILE.pub.")],
    as_json: JSON = False,
) -> None:
    """Make a key pair for signing artifacts. Keep the private key secret; give the public one, FILE.pub, to devices."""
    from flawspot.runtime.signature import make_key as make

    found = make(file)
    public = file.with_name(file.name + ".pub")
    if as_json:
        print_json({"key": found, "private": str(file), "public": str(public)})
    else:
        print_pairs([("key", found), ("private", f"{file}: keep it secret"), ("public", f"{public}: for the devices")])


def sign(
    file: ARTIFACT,
    key: Annotated[Path, typer.Option(help="The file of the private key, written by `make-key` or openssl.")],
    as_json: JSON = False,
) -> None:
    """Sign an artifact. Devices that trust the key accept only artifacts signed by it."""
    from flawspot.runtime.artifact import read
    from flawspot.runtime.signature import sign as run
    from flawspot.runtime.signature import signature_of

    signed = run(read(file), key)
    found = signature_of(signed)
    assert found is not None
    signed.save(file)
    if as_json:
        print_json({"artifact": str(file), "key": found.key_id})
    else:
        print_pairs([("artifact", str(file)), ("signed by", f"key {found.key_id}")])


def verify(
    file: ARTIFACT,
    trusted_key: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="File of a public key; repeatable. Default: those in FLAWSPOT_TRUSTED_KEYS."),
    ] = None,
    self_test: Annotated[
        bool, typer.Option(help="Also check that this machine computes the values stored in training.")
    ] = True,
    as_json: JSON = False,
) -> None:
    """Check that an artifact is whole, signed by a trusted key, and computes here what it computed in training."""
    from flawspot.errors import ConfigurationError
    from flawspot.runtime.artifact import read
    from flawspot.runtime.detector import load
    from flawspot.runtime.signature import trusted_keys_of_environment
    from flawspot.runtime.signature import verify as run

    keys = [str(path) for path in trusted_key or []] or trusted_keys_of_environment()
    if not keys:
        raise ConfigurationError("verifying needs a public key: give --trusted-key FILE.pub")
    artifact = read(file)
    found = run(artifact, keys)
    tested = self_test and artifact.manifest.self_test is not None
    if self_test:
        load(artifact, trusted_keys=keys, self_test=True)
    if as_json:
        print_json({"artifact": str(file), "key": found, "self_test": "passed" if tested else None})
        return
    shown = "passed" if tested else "not run" if not self_test else "none: the artifact was made before self-tests"
    print_pairs([("artifact", f"{file}: whole"), ("signed by", f"key {found}, trusted"), ("self-test", shown)])
