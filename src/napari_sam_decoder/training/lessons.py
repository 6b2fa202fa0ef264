"""What a decoder learns from: pictures as the frozen network sees them, and truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, overload

import numpy as np

from napari_sam_decoder.atomic_files import atomic_write
from napari_sam_decoder.errors import FormatError, wrap_read_errors, wrap_write_errors

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Lesson", "Lessons", "read_lesson", "write_lesson"]


@dataclass(frozen=True, eq=False)
class Lesson:
    """One picture, its objects, and the masks that SAM's decoder offers for them.

    Attributes
    ----------
    features : (256, 64, 64) array of float16
        The embedding.
    picture : (Y, X, 3) array of uint8
        The picture itself.
    shown : (2,) array of int
        Rows and columns of the network's square input that show the picture.
    truth : (N, rows, columns / 8) array of uint8
        The masks of the objects at those pixels, eight in a byte.
    logits : (L, 256, 256) array of float16
        Low-res logits; sure background in the padding.
    objects : (L,) array of int
        Which object each of them is of.
    tokens : (K, 5, 256) array of float16
        What SAM's tokens have become, of prompts for which there are three hypotheses.
    ious : (K, 3) array of float32
        How much each of these has in common with the object, 0..1.
    """

    features: np.ndarray
    picture: np.ndarray
    shown: np.ndarray
    truth: np.ndarray
    logits: np.ndarray
    objects: np.ndarray
    tokens: np.ndarray
    ious: np.ndarray

    def mask(self, index: int, rows: slice = slice(None)) -> np.ndarray:
        """(rows, columns) bool: where an object is, at the pixels of the input."""
        unpacked = np.unpackbits(self.truth[index, rows], axis=-1)
        return unpacked[:, : self.shown[1]].astype(bool)


def write_lesson(lesson: Lesson, path: Path) -> None:
    """Write a lesson as a file that appears whole or not at all."""
    content = {field.name: getattr(lesson, field.name) for field in _FIELDS}
    with wrap_write_errors(path), atomic_write(path, ".partial.npz") as partial:
        np.savez(partial, **content)


def read_lesson(path: Path) -> Lesson:
    """Read a lesson.

    Raises
    ------
    FormatError
        If the file is missing, damaged, or holds something else.
    """
    with wrap_read_errors(path, remedy=_REMEDY), np.load(path) as content:
        if not isinstance(content, Mapping) or not content.keys() >= _NAMES:
            raise FormatError(f"{path} is not a lesson; {_REMEDY}")
        return Lesson(**{name: content[name] for name in _NAMES})


_REMEDY = "delete it, and prepare it again"
_FIELDS = fields(Lesson)
_NAMES = {field.name for field in _FIELDS}


class Lessons(Sequence[Lesson]):
    """The lessons of one folder, each read when it is asked for.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    FormatError
        If there are none.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = sorted(folder.glob("[!.]*.npz"))
        if not self._paths:
            raise FormatError(f"there are no lessons in {folder}; prepare some first")

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, index: int) -> Lesson: ...

    @overload
    def __getitem__(self, index: slice) -> list[Lesson]: ...

    def __getitem__(self, index: int | slice) -> Lesson | list[Lesson]:
        """Read one or several."""
        if isinstance(index, slice):
            return [read_lesson(path) for path in self._paths[index]]
        return read_lesson(self._paths[index])
