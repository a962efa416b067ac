"""The source of a translation, and the facts that the translation contains."""

from __future__ import annotations

from dataclasses import dataclass

from flawspot.errors import ExportError
from flawspot.export.form import Form
from flawspot.runtime.artifact import Artifact


@dataclass(frozen=True)
class Facts:
    """The facts about a detector that a translation contains.

    Attributes:
        name: name of the files, without suffix.
        title: method, backbone, layers and input size.
        input_size: S.
        threshold: a photograph with a higher score is anomalous; a float32.
        product: the product's name, any text.
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
    """The source of a translation.

    Attributes:
        artifact: verified.
        form: its intermediate form; None for targets that do not use it.
        facts: the facts for the translation.
    """

    artifact: Artifact
    form: Form | None
    facts: Facts

    def needed_form(self) -> Form:
        """The intermediate form, for a target that uses it.

        Raises:
            ExportError: the form has not been read.
        """
        if self.form is None:
            raise ExportError("this target is written from the intermediate form, which has not been read")
        return self.form
