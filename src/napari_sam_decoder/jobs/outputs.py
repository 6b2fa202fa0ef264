"""Outputs that may be written, whole or not at all, and progress of a job."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol, TypeVar

from napari_sam_decoder.atomic_files import atomic_write
from napari_sam_decoder.errors import FormatError, OptionError, wrap_write_errors
from napari_sam_decoder.formats import LabelSink

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import numpy as np

    from napari_sam_decoder.session import Session

__all__ = [
    "Progress",
    "open_sink",
    "require_apart",
    "require_folder",
    "silently",
    "write_text",
]

T = TypeVar("T")


class Progress(Protocol):
    """Passes steps on and shows how many of ``total`` are done."""

    def __call__(self, steps: Iterable[T], *, total: int, what: str) -> Iterator[T]:
        """Yield the same steps."""


def silently(steps: Iterable[T], *, total: int, what: str) -> Iterator[T]:
    """Show nothing."""
    del total, what
    yield from steps


def require_apart(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse outputs that would overwrite an input, or each other.

    Parameters
    ----------
    outputs : iterable of Path
        What will be written.
    inputs : iterable of Path
        Files, or folders in which nothing may be written either.

    Raises
    ------
    OptionError
        If an output is an input, lies inside one, or is named twice.
    """
    taken = [path.resolve() for path in inputs]
    for output in outputs:
        with wrap_write_errors(output):
            place = output.resolve()
        if any(place == path or path in place.parents for path in taken):
            raise OptionError(
                f"{output} would overwrite or change an input of this job; choose "
                "another name or folder"
            )
        taken.append(place)


def require_folder(path: Path) -> None:
    """Refuse a file whose folder is not there, before any work.

    Raises
    ------
    FormatError
        If so.
    """
    with wrap_write_errors(path):
        # A device or a pipe would be replaced by a file.
        is_taken = path.exists() and not path.is_file()
        is_free = not is_taken and path.absolute().parent.is_dir()
    if not is_free:
        raise FormatError(
            f"{path} cannot be written: it is no file, or there is no folder for it; "
            "make the folder first or choose another name"
        )


def open_sink(path: Path, session: Session, dtype: np.dtype) -> LabelSink:
    """Begin to write labels of a session's movie, with the names of its axes.

    Raises
    ------
    FormatError
        If they cannot be written there.
    """
    axes = session.movie.axes.removesuffix("C")
    return LabelSink(path, session.labels_shape, dtype, axes=axes.rjust(3, "T"))


def write_text(path: Path, text: str) -> None:
    """Write a file that appears whole or not at all.

    Raises
    ------
    FormatError
        If the disk cannot be written.
    """
    with (
        wrap_write_errors(path),
        atomic_write(path, f".partial-{os.getpid()}") as partial,
    ):
        partial.write_text(text, encoding="utf-8")
