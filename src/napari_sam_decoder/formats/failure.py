"""One line that names the file and the remedy, whatever a decoder raised."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_sam_decoder.errors import FormatError, SamDecoderError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["first_line", "reading", "writing"]


def first_line(error: BaseException) -> str:
    """Return what an error says in one line; its type if it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the failure of a decoder into an error that names the file.

    Raises
    ------
    FormatError
        If anything but one of our own errors is raised inside.
    """
    try:
        yield
    except SamDecoderError:
        raise
    except PermissionError as error:
        raise FormatError(
            f"{path} may not be read; check its permissions ({first_line(error)})"
        ) from error
    # What a decoder raises on broken bytes is not documented anywhere, and ranges
    # from struct.error over SyntaxError to codecs' own types.
    except Exception as error:
        raise FormatError(
            f"cannot read {path}, it is damaged, cut off or no such file as its name "
            f"says; copy or export it again ({first_line(error)})"
        ) from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the failure of a disk into an error that names the target.

    Raises
    ------
    FormatError
        If an `OSError` is raised inside.
    """
    try:
        yield
    except OSError as error:
        raise FormatError(
            f"cannot write {path}; free some disk space or choose a folder that can "
            f"be written ({first_line(error)})"
        ) from error
