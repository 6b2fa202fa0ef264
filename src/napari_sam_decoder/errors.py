"""Errors that a user can do something about, one class per kind of remedy.

None derives from `RuntimeError`: superqt takes a `RuntimeError` inside a worker
for a deleted Qt object and swallows it, which would leave a window waiting.
"""

from __future__ import annotations

__all__ = [
    "CacheCorruptError",
    "CacheMismatchError",
    "CheckpointError",
    "ClosedError",
    "DecodingError",
    "DownloadError",
    "FormatError",
    "IncompleteFileWarning",
    "LabelsError",
    "MissingExtraError",
    "MovieError",
    "OptionError",
    "PromptError",
    "SamDecoderError",
]


class SamDecoderError(Exception):
    """Base of all errors whose message names a remedy for the user."""


class CheckpointError(SamDecoderError):
    """A checkpoint cannot be used: unsafe, unreadable, or of another shape."""


class ClosedError(SamDecoderError):
    """A session was closed before it was asked for this; open another one."""


class DownloadError(SamDecoderError):
    """A checkpoint could not be fetched; the message says how to do it offline."""


class DecodingError(SamDecoderError):
    """The network failed on a frame, for instance for want of memory."""


class MovieError(SamDecoderError):
    """An array cannot be read as a movie: axes, channels, dtype or size."""


class FormatError(SamDecoderError):
    """A file cannot be read or written in the format that its name promises."""


class MissingExtraError(SamDecoderError):
    """An optional dependency is not installed; the message gives the pip line."""


class CacheMismatchError(SamDecoderError):
    """An embedding cache belongs to other pixels, settings or weights."""


class CacheCorruptError(SamDecoderError):
    """An embedding cache on disk cannot be trusted and cannot mend itself."""


class PromptError(SamDecoderError):
    """A prompt does not fit the movie: position, frame, object or label."""


class LabelsError(SamDecoderError):
    """Labels do not fit the movie, or would be overwritten without consent."""


class OptionError(SamDecoderError):
    """An option or setting has a value that cannot be used."""


class IncompleteFileWarning(UserWarning):
    """A file holds another number of frames than it says; those there are used."""
