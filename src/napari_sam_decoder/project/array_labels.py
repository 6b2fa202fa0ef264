"""Labels in memory, as a project has them before there is a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.errors import ProjectError
from napari_sam_decoder.project.cut import PlaneAxes

if TYPE_CHECKING:
    from napari_sam_decoder.project.label_difference import LabelDifference
    from napari_sam_decoder.project.target_record import TargetRecord

__all__ = ["ArrayLabels"]


def _integer_type(name: str) -> np.dtype:
    dtype = np.dtype(name)
    if dtype.kind not in "ui":
        raise TypeError(f"{dtype} is no type of labels")
    return dtype


class ArrayLabels:
    """Labels in memory, blank at first.

    Parameters
    ----------
    record : TargetRecord
        What they are like.

    Attributes
    ----------
    data : array of int
        All of them.

    Raises
    ------
    ProjectError
        If there is no such array, or no memory for it.
    """

    def __init__(self, record: TargetRecord) -> None:
        try:
            self.data = np.zeros(record.shape, _integer_type(record.dtype))
        except (MemoryError, TypeError, ValueError) as error:
            raise ProjectError(
                f"the labels {record.name!r} of the project, of shape {record.shape} "
                f"and type {record.dtype}, do not fit into memory; close other programs"
            ) from error

    def apply(
        self,
        sliced: tuple[int, ...],
        place: tuple[int, ...],
        difference: LabelDifference,
    ) -> None:
        """Change the pixels of one plane.

        Parameters
        ----------
        sliced : tuple of int
            The axes along which the labels are cut.
        place : tuple of int
            Where the plane lies along them.
        difference : LabelDifference
            What changes.

        Raises
        ------
        ProjectError
            If there is no such plane, or the difference does not fit it.
        """
        try:
            plane = self.data[PlaneAxes.of(sliced).index(place)]
        except (IndexError, ValueError) as error:
            raise ProjectError(
                f"the project has labels at {place}, outside their shape "
                f"{self.data.shape}; restore the file from a backup"
            ) from error
        difference.apply(plane)
