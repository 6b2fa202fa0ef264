"""Documents with labels, and what they hold, for the tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from napari_sam_decoder.project import (
    GuardedLabels,
    History,
    LabelDifference,
    LabelsChange,
    PlaneAxes,
)


@dataclass(frozen=True)
class PlainCut:
    """Frames along an axis of an array without colours."""

    spatial_shape: tuple[int, ...]
    axis: int | None = 0
    fixed: tuple[tuple[int, int], ...] = ()

    @property
    def sliced_axes(self):
        along = () if self.axis is None else (self.axis,)
        return tuple(sorted((*along, *(axis for axis, _ in self.fixed))))

    @property
    def frame_axes(self):
        rest = range(len(self.spatial_shape))
        rows, columns = (axis for axis in rest if axis not in self.sliced_axes)
        return rows, columns

    @property
    def frame_shape(self):
        rows, columns = (self.spatial_shape[axis] for axis in self.frame_axes)
        return rows, columns

    def __len__(self):
        return 1 if self.axis is None else self.spatial_shape[self.axis]

    def index(self, frame):
        at = dict(self.fixed) | ({} if self.axis is None else {self.axis: frame})
        return tuple(at.get(axis, slice(None)) for axis in range(len(self._all)))

    def origin(self, frame):
        return tuple(0 if one == slice(None) else one for one in self.index(frame))

    @property
    def _all(self):
        return self.spatial_shape


class Volume:
    """Labels that a document changes, without any guard."""

    def __init__(self, shape):
        self.data = np.zeros(shape, np.uint16)

    def apply(self, sliced, place, difference):
        difference.apply(self.data[PlaneAxes.of(sliced).index(place)])

    def paint(self, document, sliced, place, window, value):
        """Write pixels of a plane, and record that."""
        plane = self.data[PlaneAxes.of(sliced).index(place)]
        before = plane.copy()
        plane[window] = value
        difference = LabelDifference.between(before, plane)
        if difference is not None:
            document.record_labels(LabelsChange(1, sliced, place, difference))


class Desk:
    """Plain labels in a document with a history, and results as runs bring them."""

    def __init__(self, data, axis=0, fixed=(), *, is_blank=False):
        self.holder = SimpleNamespace(data=data)
        self.history = History()
        self.cut = PlainCut(tuple(data.shape), axis, fixed)
        self.labels = GuardedLabels(
            self.history.document, 1, self.holder, is_blank=is_blank
        )
        if not is_blank:
            self.note_all()

    @property
    def painted_table(self):
        return self.history.document.table("painted", 1)

    def note_all(self):
        for frame in range(len(self.cut)):
            self.labels.note(self.cut, self.place(frame), self.plane(frame).copy())

    def place(self, frame):
        origin = self.cut.origin(frame)
        return tuple(origin[axis] for axis in self.cut.sliced_axes)

    def plane(self, frame):
        return np.asarray(self.holder.data[self.cut.index(frame)])

    def run(self, frame, labels=None, ids=(1,), *, replace=False, returning=()):
        if labels is None:
            labels = np.ones(self.cut.frame_shape, np.uint16)
        with self.history.step("Run", "run"):
            return self.labels.write(
                self.cut, frame, labels, ids, replace=replace, returning=returning
            )

    def change(self, frame, window, value):
        """Change pixels without telling, as a script does."""
        plane = np.array(self.plane(frame))
        plane[window] = value
        self.holder.data[self.cut.index(frame)] = plane

    def paint(self, frame, window, value):
        """Change pixels, and record that as a stroke."""
        self.labels.cut_along(self.cut)
        self.labels.begin_stroke(self.place(frame), self.plane(frame).copy())
        self.change(frame, window, value)
        self.sync(frame)

    def sync(self, *frames):
        self.labels.cut_along(self.cut)
        with self.history.step("Paint", "paint"):
            return list(self.labels.sync([self.place(frame) for frame in frames]))

    def objects(self):
        """The painted objects of each frame that has any."""
        found = {
            frame: set(self.labels.objects(self.cut, frame))
            for frame in range(len(self.cut))
        }
        return {frame: ids for frame, ids in found.items() if ids}

    def painted(self):
        return dict(self.painted_table.items())
