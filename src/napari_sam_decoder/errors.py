"""Errors that a user can act on, one class per kind of remedy.

None derives from `RuntimeError`: superqt mistakes a `RuntimeError` in a worker for a
deleted Qt object and swallows it, which would leave the window waiting.
"""

from __future__ import annotations

import errno
import struct
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

__all__ = [
    "CacheCorruptError",
    "CacheMismatchError",
    "CheckpointError",
    "ClosedError",
    "ClusterError",
    "DecodingError",
    "DownloadError",
    "FormatError",
    "IncompleteFileWarning",
    "LabelsError",
    "MissingExtraError",
    "MovieError",
    "OptionError",
    "ProjectError",
    "PromptError",
    "SamDecoderError",
    "first_line",
    "is_corruption",
    "one_line",
    "os_error_advice",
    "wrap_os_errors",
    "wrap_read_errors",
    "wrap_write_errors",
]


class SamDecoderError(Exception):
    """Base of all errors whose message names a remedy for the user."""


class CheckpointError(SamDecoderError):
    """A checkpoint cannot be used: unsafe, unreadable, or of another shape."""


class ClosedError(SamDecoderError):
    """The session is closed; open another one."""


class ClusterError(SamDecoderError):
    """The scheduler or the workers that were to do the work cannot be reached."""


class DownloadError(SamDecoderError):
    """A checkpoint could not be downloaded; the message says how to do it offline."""


class DecodingError(SamDecoderError):
    """The network failed on a frame, for instance because memory ran out."""


class MovieError(SamDecoderError):
    """An array cannot be read as a movie: axes, channels, dtype or size."""


class FormatError(SamDecoderError):
    """A file cannot be read or written in the format that its name promises."""


class MissingExtraError(SamDecoderError):
    """An optional dependency is not installed; the message gives the pip line."""


class CacheMismatchError(SamDecoderError):
    """An embedding cache belongs to other pixels, settings or weights."""


class CacheCorruptError(SamDecoderError):
    """An embedding cache is damaged in a way that it cannot repair itself."""


class PromptError(SamDecoderError):
    """A prompt does not fit the movie: position, frame, object or label."""


class LabelsError(SamDecoderError):
    """Labels do not fit the movie, or would be overwritten unasked."""


class OptionError(SamDecoderError):
    """An option or setting has a value that cannot be used."""


class ProjectError(SamDecoderError):
    """A project file cannot be read, written, or does not belong to the movie."""


class IncompleteFileWarning(UserWarning):
    """A file holds a different number of frames than it declares."""


_ROOM = "free some disk space or choose another place"
_WRITABLE = "check its permissions or choose another place"
_OTHER = "choose another name or folder"
_PATH = "check the path"
_REMEDIES: Mapping[int, str] = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: _ROOM,
    errno.EACCES: _WRITABLE,
    errno.EPERM: _WRITABLE,
    errno.EROFS: _WRITABLE,
    errno.ENOENT: _PATH,
    errno.ENOTDIR: _PATH,
    errno.EISDIR: _PATH,
    errno.ELOOP: _PATH,
    errno.EEXIST: _OTHER,
    errno.ENOTEMPTY: _OTHER,
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EBUSY: "close the programs that use it",
    errno.ETXTBSY: "close the programs that use it",
}

# Some libraries raise these without a number.
_NUMBERS: Mapping[type, int] = {
    FileNotFoundError: errno.ENOENT,
    PermissionError: errno.EACCES,
    IsADirectoryError: errno.EISDIR,
    NotADirectoryError: errno.ENOTDIR,
}

# What bytes that make no sense lead to, whoever reads them.
_OF_CONTENT = (
    *(ValueError, EOFError, RuntimeError, SyntaxError, ArithmeticError),
    *(struct.error, zlib.error),
)
_NOT_OF_CONTENT = (MemoryError, NotImplementedError, RecursionError)
_DECODERS = (
    *("tifffile", "imagecodecs", "PIL", "zarr", "numcodecs", "av", "safetensors"),
    *("nd2", "liffile", "pylibCZIrw"),
    *("numpy.lib", "torch", "json", "zipfile", "pickle", "xml"),
)
"""Libraries that raise errors of any kind when they read corrupt bytes."""
_OURS = __name__.partition(".")[0]


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type if it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def one_line(error: BaseException) -> str:
    """Return the message of an error without line breaks."""
    lines = (line.strip() for line in str(error).splitlines())
    return "; ".join(line for line in lines if line).replace(":; ", ": ")


def os_error_advice(error: OSError) -> str | None:
    """Say what a user can do about an `OSError`; None if nothing helps.

    Nothing helps against too many open files or a failing disk.
    """
    return _REMEDIES.get(error.errno or _NUMBERS.get(type(error), 0))


def is_corruption(error: Exception) -> bool:
    """Whether an error raised while reading a file means that the file is damaged.

    Parameters
    ----------
    error : Exception
        None of our own.

    Returns
    -------
    bool
        False for errors of the operating system, and for mistakes in our own code,
        such as a missing key or attribute. A decoding library may raise those, too,
        when it reads corrupt bytes.
    """
    if isinstance(error, OSError):
        # Decoders raise it without a number; EINVAL is a seek in too short a file.
        return error.errno in (None, errno.EINVAL)
    if isinstance(error, _NOT_OF_CONTENT):
        return False
    return isinstance(error, _OF_CONTENT) or _is_decoder_error(error)


@contextmanager
def wrap_os_errors(
    said: str, kind: type[SamDecoderError] = FormatError
) -> Iterator[None]:
    """Turn an `OSError` that a user can resolve into an error of ours.

    Parameters
    ----------
    said : str
        What could not be done, such as "cannot write labels.tif".
    kind : type
        Class of the error that is raised instead.

    Raises
    ------
    SamDecoderError
        If an `OSError` with a known remedy is raised inside. Others pass through.
    """
    try:
        yield
    except OSError as error:
        remedy = os_error_advice(error)
        if remedy is None:
            raise
        raise kind(f"{said} ({first_line(error)}); {remedy}") from error


@contextmanager
def wrap_read_errors(
    path: Path,
    kind: type[SamDecoderError] = FormatError,
    remedy: str = "copy or export it again",
) -> Iterator[None]:
    """Turn the failure of a decoder into an error that names the file.

    Parameters
    ----------
    path : Path
        The file that is read.
    kind : type
        Class of the error that is raised instead.
    remedy : str
        What the user should do if the file is damaged.

    Raises
    ------
    SamDecoderError
        If an error raised inside means that the file is damaged, of another type, too
        large or out of reach. Bugs, and errors of the operating system that no user
        can resolve, pass through unchanged.
    """
    try:
        with wrap_os_errors(f"cannot read {path}", kind):
            yield
    except SamDecoderError:
        raise
    except Exception as error:
        what_is_wrong = _describe_read_error(error, remedy)
        if what_is_wrong is None:
            raise
        raise kind(f"cannot read {path}, {what_is_wrong} ({first_line(error)})") from (
            error
        )


@contextmanager
def wrap_write_errors(path: Path) -> Iterator[None]:
    """Turn a write error into one that names the target.

    Raises
    ------
    FormatError
        If an `OSError` that a user can resolve is raised inside; others pass through.
    """
    with wrap_os_errors(f"cannot write {path}"):
        yield


def _describe_read_error(error: Exception, remedy: str) -> str | None:
    """Say what is wrong with a file and what helps; None if it is not the file."""
    # Pillow need not be imported for its name.
    if type(error).__name__ == "DecompressionBombError":
        return "its pictures are too large; export a part of them"
    if isinstance(error, NotImplementedError):
        return "it is of a type that is not supported; export it in another format"
    if isinstance(error, MemoryError):
        return (
            "it needs more memory than there is, or declares more than it holds; close "
            "other programs, or export a part of it"
        )
    if is_corruption(error):
        return f"it is corrupt, truncated or not a valid file of this type; {remedy}"
    return None


def _is_decoder_error(error: Exception) -> bool:
    names = (type(error).__module__, *_modules_below_ours(error.__traceback__))
    return any(
        name == decoder or name.startswith(f"{decoder}.")
        for name in names
        for decoder in _DECODERS
    )


def _modules_below_ours(trace: TracebackType | None) -> Iterator[str]:
    """Yield the modules through which an error came until it met one of ours."""
    names: list[str] = []
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", ""))
        names = [] if name.partition(".")[0] == _OURS else [*names, name]
        trace = trace.tb_next
    yield from names
