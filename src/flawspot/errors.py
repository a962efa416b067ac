"""The errors a user can meet. Each message says in one line what was wrong, where, and the cure.

The command line prints the message alone, without a traceback; the Python API raises. Anything else that escapes is a
bug of flawspot.
"""

from flawspot.texts import visible


class FlawspotError(Exception):
    """Base of every error that is the user's to cure. ``str(error)`` is one line, fit to be shown as it stands.

    File names in it are escaped where they are not printable; see `flawspot.texts.visible`.
    """

    def __str__(self) -> str:
        return visible(super().__str__())


class ArtifactError(FlawspotError):
    """The file is not a flawspot artifact, is damaged, or was written by a newer flawspot."""


class ImageError(FlawspotError):
    """A photograph cannot be read: missing, truncated, of an unknown format, or too large to be safe."""


class InspectionError(FlawspotError):
    """A photograph was read but could not be inspected: the detector failed on it, or its result is not finite."""


class SignatureError(FlawspotError):
    """An artifact is not signed by a trusted key, its signature does not fit, or a key cannot be read."""


class DataError(FlawspotError):
    """A folder of photographs cannot serve: no images, too few, a mask that does not fit its image."""


class ConfigurationError(FlawspotError):
    """An unknown method, backbone, layer group or hyperparameter, or a value out of its range."""


class WeightsError(FlawspotError):
    """Pretrained weights are not at hand, cannot be fetched, or are not the file they should be."""


class MissingPackageError(FlawspotError, ModuleNotFoundError):
    """An optional package is not installed; the message names the extra that brings it, ``name`` the package."""


class TrainingError(FlawspotError):
    """Training or export came to a result that must not be shipped."""


class ExportError(FlawspotError):
    """A detector has no form for a target, its translation differs from it, or it cannot be compared here."""


class FlawspotWarning(RuntimeWarning):
    """What goes on and may not be what was meant; the command line prints it as a note."""
