"""A project in which something is done, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.project import (
    ROWS,
    GuardedLabels,
    MovieIdentity,
    ObjectRecord,
    PointRow,
    Project,
    ProjectHeader,
    ScribbleRow,
    TargetRecord,
)
from napari_sam_decoder.prompts import Scribble

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HEADER", "SHAPE", "Cut", "Work", "make_project"]

SHAPE = (5, 12, 16)
HEADER = ProjectHeader(MovieIdentity(None, "m", SHAPE, "uint8", "0" * 64), "none")


class Holder:
    def __init__(self):
        self.data = np.zeros(SHAPE, np.uint16)


class Cut:
    axis, fixed, spatial_shape = 0, (), SHAPE
    frame_axes, frame_shape, sliced_axes = (1, 2), SHAPE[1:], (0,)

    def __len__(self):
        return SHAPE[0]

    def index(self, frame):
        return (frame, slice(None), slice(None))

    def origin(self, frame):
        return (frame, 0, 0)


class Work:
    """A project with one target, and the means to do something in it."""

    def __init__(self, project, labels=None, *, is_new=True):
        self.project, self.history = project, project.history
        self.holder = Holder()
        if labels is not None:
            self.holder.data = labels
        self.guarded = GuardedLabels(
            self.history.document,
            1,
            self.holder,
            is_blank=is_new,
            is_recorded=not is_new,
        )
        if is_new:
            record = TargetRecord("labels", SHAPE, "uint16")
            self.history.document.table("targets")[1] = record

    def act(self, seed):
        rng = np.random.default_rng(seed)
        document = self.history.document
        with self.history.step(f"action {seed}", "test", {"seed": seed}):
            rows = document.rows("points")
            position = tuple(map(float, rng.integers(0, 5, 3)))
            document.set_rows("points", (*rows, PointRow(position, seed + 1)))
            document.table("objects")[seed + 1] = ObjectRecord(f"object {seed + 1}")
            frame = int(rng.integers(SHAPE[0]))
            labels = np.zeros(SHAPE[1:], np.uint16)
            row, column = rng.integers(0, 9, 2)
            labels[row : row + 4, column : column + 5] = seed + 1
            self.guarded.write(Cut(), frame, labels, [seed + 1], replace=True)
            row = ScribbleRow.on(Cut(), frame, Scribble(labels), seed + 1)
            document.set_rows("scribbles", (*document.rows("scribbles"), row))

    @property
    def state(self):
        document = self.history.document
        tables = {
            (table.name, table.scope): dict(table)
            for table in document.tables
            if len(table)
        }
        rows = [document.rows(name) for name in ROWS]
        return tables, rows, self.holder.data.tolist()

    @property
    def titles(self):
        done, undone = self.history.done, self.history.undone
        return [one.title for one in done], [one.title for one in undone]


def make_project(path: Path, actions: int = 5) -> None:
    """Write a project of some actions, of which the last is undone."""
    work = Work(Project())
    work.project.start(path, HEADER)
    for seed in range(actions):
        work.act(seed)
    work.history.undo()
    work.project.close()
