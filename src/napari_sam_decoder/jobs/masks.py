"""Painted frames in a file, as prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.arguments import whole
from napari_sam_decoder.errors import LabelsError, OptionError
from napari_sam_decoder.formats import open_labels
from napari_sam_decoder.prompts import Prompt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_decoder.frames import ArrayLike

__all__ = ["MaskFile"]


@dataclass(frozen=True)
class MaskFile:
    """Labels in which objects are painted on some frames, and all else is 0.

    Attributes
    ----------
    path : Path
        Labels of the whole movie, or a single picture.
    frame : int, optional
        The frame that a single picture belongs to, 0 by default.
    """

    path: Path
    frame: int | None = None

    def prompts(self, frames: int) -> list[Prompt]:
        """Make a prompt of each object on each frame where it has pixels.

        Parameters
        ----------
        frames : int
            How many the movie has.

        Raises
        ------
        FormatError
            If the file cannot be read, or holds no labels.
        LabelsError
            If it has another number of frames, or nothing is painted.
        OptionError
            If a frame is given for labels of a whole movie.
        PromptError
            If a value is no object id.
        """
        labels = open_labels(self.path)
        first = self._first_frame(len(labels), frames)
        found = [
            prompt
            for index in range(len(labels))
            for prompt in _painted(labels, index, first + index)
        ]
        if not found:
            raise LabelsError(
                f"nothing is painted in {self.path}; paint each object with its "
                "object id on some frame"
            )
        return found

    def _first_frame(self, painted: int, frames: int) -> int:
        if painted == 1:
            return whole(self.frame or 0, "the frame of a mask", OptionError)
        if self.frame is not None:
            raise OptionError(
                f"{self.path} has {painted} frames, so it says itself where they "
                "belong; leave --masks-frame out"
            )
        if painted != frames:
            raise LabelsError(
                f"{self.path} has {painted} frames, but the movie {frames}; give one "
                "for each frame of the movie, or a single picture and --masks-frame"
            )
        return 0


def _painted(labels: ArrayLike, index: int, frame: int) -> Iterator[Prompt]:
    plane = np.asarray(labels[index])
    for value in np.unique(plane[plane != 0]).tolist():
        yield Prompt(int(value), frame, mask=plane == value)
