"""Objects that are found without being shown divide while they are carried."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_sam_decoder.jobs.outputs import no_progress
from napari_sam_decoder.jobs.reports import Report
from napari_sam_decoder.jobs.segment import Segmentation
from napari_sam_decoder.prompts import PaintedMask, PromptSet
from napari_sam_decoder.propagation import Direction, FrameResult, ObjectResult, Verdict

FRAMES, SHAPE = 6, (8, 20)


def columns(first, stop):
    mask = np.zeros(SHAPE, bool)
    mask[2:6, first:stop] = True
    return mask


class Sink:
    """Labels in memory."""

    def __init__(self):
        self.labels = np.zeros((FRAMES, *SHAPE), np.uint16)
        self.shape = self.labels.shape

    def __getitem__(self, frame):
        return self.labels[frame]

    def write(self, frame, labels):
        self.labels[frame] = labels


class StillSession:
    """Carries each mask as it is, and offers what a test says."""

    def __init__(self, divided):
        self.movie = SimpleNamespace(frame_shape=SHAPE)
        self.prompts, self.background = PromptSet(), frozenset()
        self.runs = []
        self._divided = divided

    def embed(self, frames):
        yield from ()

    def search_objects(self, frame, occupied):
        yield None
        mask = columns(0, 12) & ~occupied
        yield [SimpleNamespace(painted=PaintedMask.of(mask))] if mask.any() else []

    def add_prompt(self, prompt):
        self.prompts = PromptSet((*self.prompts, prompt))

    def plan(self, frames, direction, objects):
        return SimpleNamespace(visits=len(frames))

    def propagate(self, frames, *, direction, labels, objects):
        self.runs.append((direction, objects))
        moving = [one for one in self.prompts if one.object_id in objects]
        for frame in frames:
            plane, results = np.array(labels[frame]), {}
            for one in moving:
                if direction is Direction.FORWARD and frame < one.frame:
                    continue
                mask = one.mask.to_array()
                plane[mask] = one.object_id
                results[one.object_id] = self._result(one.object_id, mask, frame)
            yield FrameResult(frame, plane, results)

    def _result(self, object_id, mask, frame):
        daughters = None
        inside = np.flatnonzero(mask.any(axis=0))
        if self._divided.get((int(inside[0]), len(inside))) == frame:
            middle = int(inside[0]) + len(inside) // 2
            halves = columns(inside[0], middle), columns(middle, inside[-1] + 1)
            daughters = tuple(PaintedMask.of(half) for half in halves)
        return ObjectResult(object_id, Verdict.SURE, daughters=daughters)


@pytest.fixture
def carried():
    def carry(divided):
        session, sink, report = StillSession(divided), Sink(), Report()
        work = Segmentation(session, range(FRAMES), sink, report, no_progress)
        work.carry_out(None, None, 0, [0])
        return SimpleNamespace(
            labels=sink.labels, parents=work.parents, report=report, session=session
        )

    return carry


def test_an_object_that_divides_ends_and_its_daughters_go_on(carried):
    done = carried({(0, 12): 3})
    for frame in range(FRAMES):
        first, second = (1, 1) if frame < 3 else (2, 3)
        assert set(done.labels[frame][columns(0, 6)]) == {first}
        assert set(done.labels[frame][columns(6, 12)]) == {second}
    assert done.parents == {2: 1, 3: 1}
    assert done.session.runs[-1] == (Direction.FORWARD, (2, 3))
    assert {one: [*found] for one, found in done.report.results.items()} == {
        1: [0, 1, 2],
        2: [3, 4, 5],
        3: [3, 4, 5],
    }


def test_daughters_divide_in_turn(carried):
    done = carried({(0, 12): 2, (0, 6): 4})
    assert done.parents == {2: 1, 3: 1, 4: 2, 5: 2}
    assert [*np.unique(done.labels[5])] == [0, 3, 4, 5]
    assert [*np.unique(done.labels[3])] == [0, 2, 3]


def test_without_a_division_nothing_ends(carried):
    done = carried({})
    assert done.parents == {}
    assert len(done.session.runs) == 1
    assert (done.labels[:, columns(0, 12)] == 1).all()
