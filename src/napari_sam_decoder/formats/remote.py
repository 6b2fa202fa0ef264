"""Movies at an address, such as an OME-Zarr image on a web server."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.errors import (
    FormatError,
    MissingExtraError,
    SamDecoderError,
    first_line,
    wrap_read_errors,
)
from napari_sam_decoder.validation import as_expanded_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["as_movie_path", "is_remote", "wrap_movie_read_errors"]

# A drive of Windows has one letter.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_NETWORK_MODULES = ("aiohttp", "botocore", "fsspec", "gcsfs", "s3fs")


def as_movie_path(value: Any, error: type[SamDecoderError]) -> Path:
    """Accept the path of a movie, or an address such as ``https://host/movie.zarr``.

    Parameters
    ----------
    value : str or path-like
        What a caller has passed.
    error : type
        Class of the error that is raised if it is neither.

    Returns
    -------
    Path
        Of an address, something that can be used in its place for reading, see
        `is_remote`.

    Raises
    ------
    SamDecoderError
        Of the type given.
    MissingExtraError
        If the library for addresses of this kind is not installed.
    FormatError
        If the host has to be reached for that, and cannot be.
    """
    if is_remote(value):
        return value  # type: ignore[no-any-return]
    is_address = isinstance(value, str) and _ADDRESS.match(value)
    if not is_address or value.lower().startswith("file://"):
        return as_expanded_path(_local(value), "a movie", error)
    try:
        from upath import UPath

        place: Any = UPath(value)
        # Only now is the library for its protocol asked for.
        _ = place.fs
    except ImportError as missing:
        raise MissingExtraError(
            f"reading from {value} needs an extra library: pip install "
            f'"napari-sam-decoder[remote]" ({first_line(missing)})'
        ) from missing
    except (ValueError, NotImplementedError) as unknown:
        raise error(
            f"{value} is no address that can be read ({first_line(unknown)}); give "
            "one that starts with https:// or s3://, or the path of a file"
        ) from unknown
    # Some protocols connect to the host at once.
    except OSError as unreachable:
        raise _no_access(value, unreachable) from unreachable
    return place  # type: ignore[no-any-return]


def is_remote(path: Any) -> bool:
    """Whether a path from `as_movie_path` is that of an address."""
    return not isinstance(path, str | os.PathLike) and hasattr(path, "protocol")


@contextmanager
def wrap_movie_read_errors(path: Path) -> Iterator[None]:
    """Turn the failure to read a movie into an error that names its file or address.

    Raises
    ------
    FormatError
        As `wrap_read_errors`, and if what is at an address cannot be reached.
    """
    with wrap_read_errors(path):
        try:
            yield
        except Exception as error:
            if not is_remote(path) or not _is_of_network(error):
                raise
            raise _no_access(path, error) from error


def _no_access(address: Any, error: Exception) -> FormatError:
    return FormatError(
        f"cannot read {address} ({first_line(error)}); check the address and the "
        "connection, and try again: what has been done is kept"
    )


def _is_of_network(error: Exception) -> bool:
    module = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or module in _NETWORK_MODULES


def _local(value: Any) -> Any:
    """Return the path in a ``file://`` address; anything else stays as it is."""
    if not isinstance(value, str) or not value.lower().startswith("file://"):
        return value
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    return url2pathname(urlsplit(value).path)
