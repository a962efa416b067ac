"""What is translated, and what the translation says of itself."""

from __future__ import annotations

from dataclasses import dataclass

from flawspot.errors import ExportError
from flawspot.export.form import Form
from flawspot.runtime.artifact import Artifact


@dataclass(frozen=True)
class Facts:
    """What a translation says of itself.

    Attributes:
        name: of the files, without suffix.
        title: method, backbone, layers and input size.
        input_size: S.
        threshold: a photograph whose score is above is anomalous; a float32.
        product: the class name, as any text.
        version: of flawspot.
        sha256: of the artifact's graph.
        macs: multiply-accumulates for one photograph.
    """

    name: str
    title: str
    input_size: int
    threshold: float
    product: str
    version: str
    sha256: str
    macs: int


@dataclass(frozen=True)
class Source:
    """What is translated.

    Attributes:
        artifact: verified.
        form: its intermediate form; None for targets that are not written from it.
        facts: what the translation says of itself.
    """

    artifact: Artifact
    form: Form | None
    facts: Facts

    def needed_form(self) -> Form:
        """The intermediate form, for a target that is written from it.

        Raises:
            ExportError: it has not been read.
        """
        if self.form is None:
            raise ExportError("this target is written from the intermediate form, which has not been read")
        return self.form
