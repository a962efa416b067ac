"""What is compared: the detectors, and the sides that train and run each of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

BACKBONE, LAYERS, SIZE, SEED = "mobilenet_v2", (3, 8, 14), 224, 0
"""Of every detector on every side: the layer group `equiv`, and the side of the photographs that the network sees."""
CHANNELS = 62
"""Of PaDiM: a quarter of the 248 channels, as in the PaSTe paper."""
BATCH = 32
"""Of STFPM's training, as in its paper."""

OWN, PEER, EXPORTED = "flawspot", "anomalib", "anomalib, OpenVINO"
SIDES = (OWN, PEER, EXPORTED)
"""The artifact in ONNX Runtime; the peer's bare torch module; that module exported to OpenVINO."""


@dataclass(frozen=True)
class Subject:
    """One detector.

    Attributes:
        method: ``patchcore``, ``padim`` or ``stfpm``.
        bank: patches that PatchCore keeps; 0 for the others.
        epochs: that STFPM trains for; 0 for the others.
    """

    method: str
    bank: int = 0
    epochs: int = 0

    @property
    def name(self) -> str:
        """As in the tables, and in names of files."""
        return f"{self.method}-{self.bank}" if self.bank else self.method

    @property
    def title(self) -> str:
        """For people."""
        name = {"patchcore": "PatchCore", "padim": "PaDiM", "stfpm": "STFPM"}[self.method]
        return f"{name}, bank of {self.bank:,}" if self.bank else name

    @property
    def settings(self) -> dict[str, int]:
        """The hyperparameters that are not flawspot's defaults, by its names."""
        if self.method == "patchcore":
            return {"bank_size": self.bank}
        if self.method == "padim":
            return {"channels": CHANNELS}
        return {"epochs": self.epochs, "batch_size": BATCH}

    def as_dict(self) -> dict[str, str | int]:
        """Plain values, fit for JSON."""
        return dataclasses.asdict(self)
