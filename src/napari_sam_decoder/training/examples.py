"""What a decoder is trained on: embedded pictures and the true masks of objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Generic, TypeVar, overload

import numpy as np
from PIL import Image

from napari_sam_decoder.atomic_files import atomic_write
from napari_sam_decoder.errors import FormatError, wrap_read_errors, wrap_write_errors
from napari_sam_decoder.model.transforms import input_shape

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam

__all__ = [
    "ExampleFolder",
    "LabelledPicture",
    "TrainingExample",
    "embed_example",
    "read_example",
    "resize_mask",
    "write_example",
]

_REMEDY = "delete it, and prepare it again"


@dataclass(frozen=True, eq=False)
class LabelledPicture:
    """A picture and the outlines that are known on it.

    Attributes
    ----------
    picture : (Y, X, 3) array of uint8
        RGB.
    labels : (Y, X) array of int
        Object ids; 0 for the background and for objects with unknown outlines.
    """

    picture: np.ndarray
    labels: np.ndarray

    @property
    def object_ids(self) -> np.ndarray:
        """(N,) array of int: the ids of the objects, in ascending order."""
        return np.unique(self.labels[self.labels != 0])


@dataclass(frozen=True, eq=False)
class TrainingExample:
    """An embedded picture and the true masks of N objects.

    Attributes
    ----------
    features : (256, 64, 64) array of float16
        The embedding.
    shown : (2,) array of int
        Rows and columns of the network's square input that show the picture.
    truth : (N, rows, columns / 8) array of uint8
        The masks at those pixels, eight pixels to a byte.
    """

    features: np.ndarray
    shown: np.ndarray
    truth: np.ndarray

    def mask(self, index: int, rows: slice = slice(None)) -> np.ndarray:
        """Unpack the mask of one object.

        Parameters
        ----------
        index : int
            Which object, from 0.
        rows : slice
            Rows that are wanted; all by default.

        Returns
        -------
        (rows, columns) array of bool
            At the pixels of the network's input that show the picture.
        """
        unpacked = np.unpackbits(self.truth[index, rows], axis=-1)
        return unpacked[:, : self.shown[1]].astype(bool)


Example = TypeVar("Example", bound=TrainingExample)


def embed_example(labelled: LabelledPicture, sam: Sam) -> TrainingExample:
    """Embed a picture, and keep the masks of its objects.

    Parameters
    ----------
    labelled : LabelledPicture
        With at least one object.
    sam : Sam
        Frozen.

    Returns
    -------
    TrainingExample

    Raises
    ------
    DecodingError
        If the network fails.
    """
    embedding = sam.encode(labelled.picture)
    shape = input_shape(embedding.frame_shape, sam.image_size)
    truth = [
        resize_mask(labelled.labels == object_id, shape)
        for object_id in labelled.object_ids
    ]
    return TrainingExample(
        features=embedding.features.astype(np.float16),
        shown=np.array(shape),
        truth=np.packbits(np.stack(truth), axis=-1),
    )


def resize_mask(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resize a mask bilinearly.

    Parameters
    ----------
    mask : (Y, X) array of bool
        Of any size.
    shape : tuple of int
        (rows, columns) of the result.

    Returns
    -------
    (rows, columns) array of bool
        Pixels that are at least half covered.
    """
    soft = Image.fromarray(np.where(mask, 255, 0).astype(np.uint8))
    return np.asarray(soft.resize(shape[::-1], Image.Resampling.BILINEAR)) > 127


def write_example(example: TrainingExample, path: Path) -> None:
    """Write an example; the file appears whole or not at all.

    Parameters
    ----------
    example : TrainingExample
        Subclasses are written with all their fields.
    path : Path
        An ``.npz`` file.

    Raises
    ------
    FormatError
        If the file cannot be written.
    """
    content = {field.name: getattr(example, field.name) for field in fields(example)}
    with wrap_write_errors(path), atomic_write(path, ".partial.npz") as partial:
        np.savez(partial, **content)


def read_example(path: Path, kind: type[Example]) -> Example:
    """Read an example.

    Parameters
    ----------
    path : Path
        A file that `write_example` has written.
    kind : type
        `TrainingExample` or a subclass; fields of the file that it lacks are ignored.

    Returns
    -------
    TrainingExample
        Of that kind.

    Raises
    ------
    FormatError
        If the file is missing, corrupt, or holds something else.
    """
    names = {field.name for field in fields(kind)}
    with wrap_read_errors(path, remedy=_REMEDY), np.load(path) as content:
        if not isinstance(content, Mapping) or not content.keys() >= names:
            raise FormatError(f"{path} is not a training example; {_REMEDY}")
        return kind(**{name: content[name] for name in names})


class ExampleFolder(Sequence[Example], Generic[Example]):
    """The examples in a folder, each read when it is indexed.

    Parameters
    ----------
    folder : Path
        With ``.npz`` files.
    kind : type
        `TrainingExample` or a subclass, as for `read_example`.

    Raises
    ------
    FormatError
        If there are none.
    """

    def __init__(self, folder: Path, kind: type[Example]) -> None:
        self._kind = kind
        self._paths = sorted(folder.glob("[!.]*.npz"))
        if not self._paths:
            raise FormatError(
                f"there are no training examples in {folder}; prepare some first"
            )

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, index: int) -> Example: ...

    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...

    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        """Read one or several examples."""
        if isinstance(index, slice):
            return [read_example(path, self._kind) for path in self._paths[index]]
        return read_example(self._paths[index], self._kind)
