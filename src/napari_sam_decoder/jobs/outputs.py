"""The outputs of a job, which are written whole or not at all, and its progress."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Protocol, TypeVar

from napari_sam_decoder.atomic_files import atomic_write, hidden_sibling_path
from napari_sam_decoder.errors import FormatError, OptionError, wrap_write_errors
from napari_sam_decoder.file_lock import held_alone
from napari_sam_decoder.formats import LabelSink, is_remote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import numpy as np

    from napari_sam_decoder.frames import Movie

__all__ = [
    "Progress",
    "label_lengths",
    "named",
    "no_progress",
    "open_sink",
    "require_apart",
    "require_folder",
    "require_unused",
    "sole_writer",
    "write_text",
]

T = TypeVar("T")


class Progress(Protocol):
    """A function that yields the steps it is given, and shows how many are done.

    `no_progress` shows nothing; a bar of tqdm can be wrapped in the same way.
    """

    def __call__(self, steps: Iterable[T], *, total: int, what: str) -> Iterator[T]:
        """Yield the same steps; ``what`` names the work, of ``total`` steps."""


def no_progress(steps: Iterable[T], *, total: int, what: str) -> Iterator[T]:
    """Yield the steps without showing anything."""
    del total, what
    yield from steps


def named(progress: Progress, name: str) -> Progress:
    """Name a position in what is shown; nothing for an empty name."""

    def shown(steps: Iterable[T], *, total: int, what: str) -> Iterator[T]:
        return progress(steps, total=total, what=f"{name}: {what}")

    return shown if name else progress


def require_apart(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse outputs that would overwrite an input, or each other.

    Parameters
    ----------
    outputs : iterable of Path
        Files or folders to be written.
    inputs : iterable of Path
        Files, folders or addresses. Nothing may be written inside a folder either.

    Raises
    ------
    OptionError
        If an output is an input or inside one, or is given twice.
    """
    # Nothing is written at an address, and to resolve one asks the network.
    taken = [path.resolve() for path in inputs if not is_remote(path)]
    for output in outputs:
        with wrap_write_errors(output):
            place = output.resolve()
        if any(place == path or path in place.parents for path in taken):
            raise OptionError(
                f"{output} would overwrite an input or another output of this job; "
                "choose another name or folder"
            )
        taken.append(place)


def require_folder(path: Path) -> None:
    """Refuse an output file that cannot be written, before any work is done.

    Raises
    ------
    FormatError
        If its folder does not exist or cannot be written, or something that is not a
        file is in its place.
    """
    with wrap_write_errors(path):
        # A device or a pipe would be replaced by a file.
        is_taken = path.exists() and not path.is_file()
        is_free = not is_taken and path.absolute().parent.is_dir()
    if not is_free:
        raise FormatError(
            f"{path} cannot be written: it is not a file, or its folder does not "
            "exist; make the folder first or choose another name"
        )
    # Permissions do not say it: a disk may be read-only, or of a kind of its own.
    with wrap_write_errors(path), TemporaryFile(dir=path.absolute().parent):
        pass


def require_unused(output: Path) -> None:
    """Refuse an output that exists.

    Raises
    ------
    OptionError
        If it does; the message says how to replace it.
    FormatError
        If that cannot be found out.
    """
    with wrap_write_errors(output):
        is_taken = output.exists()
    if is_taken:
        raise OptionError(
            f"{output} exists; replace it with --replace (in Python replace=True), or "
            "choose another name"
        )


@contextmanager
def sole_writer(output: Path | None) -> Iterator[None]:
    """Keep other processes from writing an output until it is written.

    Parameters
    ----------
    output : Path, optional
        File or folder, which may be absent; None if there is none.

    Raises
    ------
    OptionError
        If another process writes it.
    FormatError
        If its folder cannot be written.
    """
    with ExitStack() as held:
        if output is not None:
            lock = held_alone(hidden_sibling_path(output.absolute(), ".lock"))
            with wrap_write_errors(output):
                is_alone = held.enter_context(lock)
            if not is_alone:
                raise OptionError(
                    f"{output} is being written by another process; wait until that "
                    "is done, and run the command again"
                )
        yield


def label_lengths(
    movie: Movie, each: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Return the axes of the labels of a movie before the rows, with their lengths.

    Parameters
    ----------
    movie : Movie
        The frames along one of them, or a picture.
    each : mapping of str to int, optional
        The lengths of further axes, along which there is a movie at each position.
    """
    own = {movie.axes[0]: len(movie)} if movie.has_frame_axis else {}
    return dict(sorted((own | dict(each or {})).items())) or {"T": 1}


def open_sink(
    path: Path, movie: Movie, dtype: np.dtype, each: Mapping[str, int] | None = None
) -> LabelSink:
    """Open a file for the labels of a movie, with the names of its axes.

    Parameters
    ----------
    path : Path
        As for `LabelSink`.
    movie : Movie
        The movie, or one of several.
    dtype : dtype
        Of the labels.
    each : mapping of str to int, optional
        As for `label_lengths`.

    Raises
    ------
    FormatError
        If labels cannot be written there.
    """
    lengths = label_lengths(movie, each)
    shape = (*lengths.values(), *movie.frame_shape)
    return LabelSink(path, shape, dtype, axes="".join((*lengths, "YX")))


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all.

    Raises
    ------
    FormatError
        If it cannot be written.
    """
    with (
        wrap_write_errors(path),
        atomic_write(path, f".partial-{os.getpid()}") as partial,
    ):
        partial.write_text(text, encoding="utf-8")
