"""Pictures with objects that a person has outlined, as lessons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.model.transforms import input_shape
from napari_sam_decoder.training.coarse import resize_mask
from napari_sam_decoder.training.lessons import Lesson

if TYPE_CHECKING:
    from napari_sam_decoder.model.sam import Sam

__all__ = ["LabelledPicture", "outlined_lesson"]


@dataclass(frozen=True, eq=False)
class LabelledPicture:
    """A picture, and where the objects are whose outlines are known.

    Attributes
    ----------
    picture : (Y, X, 3) array of uint8
        RGB.
    labels : (Y, X) array of int
        Object ids; 0 where there is none of these objects, be it background or an
        object whose outline is not known.
    """

    picture: np.ndarray
    labels: np.ndarray

    @property
    def object_ids(self) -> np.ndarray:
        """(N,) array of int: the objects, in ascending order."""
        return np.unique(self.labels[self.labels != 0])


def outlined_lesson(labelled: LabelledPicture, sam: Sam) -> Lesson:
    """Embed a picture; what SAM's decoder offers for its objects is not asked.

    Parameters
    ----------
    labelled : LabelledPicture
        With at least one object.
    sam : Sam
        Frozen.

    Returns
    -------
    Lesson
        Without logits and tokens.

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
    size, width = sam.mask_size, sam.embedding_shape[0]
    return Lesson(
        features=embedding.features.astype(np.float16),
        picture=labelled.picture,
        shown=np.array(shape),
        truth=np.packbits(np.stack(truth), axis=-1),
        logits=np.zeros((0, size, size), np.float16),
        objects=np.zeros(0, int),
        tokens=np.zeros((0, 5, width), np.float16),
        ious=np.zeros((0, 3), np.float32),
    )
