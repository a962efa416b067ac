"""The errors a user can meet. Each message says in one line what was wrong, where, and how to fix it.

The command line prints only the message, without a traceback; the Python API raises. Any other exception is a bug of
flawspot.
"""

from flawspot.texts import visible


class FlawspotError(Exception):
    """Base of every error that the user can fix. ``str(error)`` is one line and can be shown directly.

    Unprintable characters in file names are escaped; see `flawspot.texts.visible`.
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
    """A folder of photographs cannot be used: no images, too few, or a mask that does not fit its image."""


class ConfigurationError(FlawspotError):
    """An unknown method, backbone, layer group or hyperparameter, or a value out of its range."""


class WeightsError(FlawspotError):
    """Pretrained weights are missing, cannot be fetched, or are not the expected file."""


class MissingPackageError(FlawspotError, ModuleNotFoundError):
    """An optional package, ``name``, is not installed. The message names the extra that installs it."""


class TrainingError(FlawspotError):
    """Training or export gave a result that must not be shipped."""


class ExportError(FlawspotError):
    """A detector has no form for a target, its translation differs from it, or it cannot be compared here."""


class FlawspotWarning(RuntimeWarning):
    """Work continues, but its result may not be what was meant. The command line prints it as a note."""
