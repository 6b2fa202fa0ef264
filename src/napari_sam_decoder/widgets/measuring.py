"""Measures the objects in labels in the background, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from napari_sam_decoder.labels import without_objects
from napari_sam_decoder.measurements import PixelSize, measure_frame
from napari_sam_decoder.widgets.label_work import LabelWork
from napari_sam_decoder.wording import counted

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from napari_sam_decoder.jobs import Report
    from napari_sam_decoder.project import FrameRecords
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.movie_state import MovieState
    from napari_sam_decoder.widgets.target_layer import TargetLayer

__all__ = ["LabelMeasurement", "pixel_size", "with_measurements"]

WORLD_UNIT = "world unit"
"""Of a scale that no unit was given for."""


@dataclass(eq=False)
class LabelMeasurement(LabelWork):
    """Measures every object on every frame.

    Attributes
    ----------
    target : TargetLayer
        The labels.
    background : frozenset of int
        Background objects, which are left out.
    path : Path, optional
        Where the table goes.
    """

    target: TargetLayer
    background: frozenset[int]
    path: Path | None = None

    under_way: ClassVar[str] = "labels are being measured"
    title: ClassVar[str] = "measuring"

    def steps(self) -> Generator[Report | None]:
        """Measure, in the background; the report comes last, after it was written."""
        # Commands need more than a window does.
        from napari_sam_decoder.jobs import Report
        from napari_sam_decoder.jobs.outputs import write_text

        view, report = self.view, Report(pixel_size=pixel_size(self.view))
        records = self.target.record(view).frames
        for frame in range(len(view)):
            every = np.asarray(self.target.layer.data[view.index(frame)])
            labels = without_objects(every, self.background)
            key = slice(None) if view.axis is None else frame
            pixels = np.asarray(view.frames[key])
            measured = measure_frame(frame, labels, pixels, pixel_size(view))
            known = _known(records, frame, self.background)
            report.add_measured(frame, known, measured)
            yield None
        if self.path is not None:
            write_text(self.path, report.to_csv())
        yield report

    def finish(self, state: MovieState, result: Report) -> None:
        """Show the measurements: features of the Labels layer get a row per object."""
        state.report = result
        names = {one.object_id: one.name for one in state.objects.listed}
        rows = [
            {"index": row["index"], "name": names.get(row["index"], ""), **row}
            for row in result.by_object()
        ]
        layer = self.target.layer
        layer.features = with_measurements(layer.features, pd.DataFrame(rows))
        where = "" if self.path is None else f" The table is in {self.path}."
        count = counted(len(rows), "object")
        state.outcome = f"Measured {count} in {layer.name!r}.{where}"


def _known(
    records: FrameRecords, frame: int, background: frozenset[int]
) -> dict[int, Any]:
    """What runs have found out on a frame, by object."""
    wanted = records.object_ids - background
    found = {one: records.of(one, frame) for one in wanted}
    return {one: result for one, result in found.items() if result is not None}


def pixel_size(view: MovieView) -> PixelSize:
    """Return the scale of a movie's layer along rows and columns, and its unit."""
    layer, axes = view.layer, view.frame_axes
    row, column = (float(layer.scale[axis]) for axis in axes)
    units = {str(layer.units[axis]) for axis in axes}
    unit = units.pop() if len(units) == 1 else WORLD_UNIT
    if unit == "pixel" and (row, column) != (1.0, 1.0):
        unit = WORLD_UNIT
    return PixelSize(abs(row), abs(column), unit)


def with_measurements(features: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """Add measurements to the features of a Labels layer.

    Parameters
    ----------
    features : DataFrame
        With or without ``index``, the label that a row is about. Without it, a row is
        about the label of its number. Columns that are not measured stay.
    measured : DataFrame
        With ``index``; may have no rows.

    Returns
    -------
    DataFrame
        One row per label that either has, ascending.
    """
    if measured.empty:
        return features
    others = [name for name in features.columns if name not in measured.columns]
    if not others:
        return measured
    kept = features[others]
    labels = features["index"] if "index" in features else range(len(features))
    kept = kept.assign(index=list(labels)).drop_duplicates("index", keep="last")
    joined = measured.merge(kept, on="index", how="outer")
    return joined.sort_values("index", ignore_index=True)
