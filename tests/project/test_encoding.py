"""Whatever happens to a history survives JSON, and nothing else gets in."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam_decoder.errors import ProjectError
from napari_sam_decoder.project import (
    Candidate,
    EntryChange,
    FrameRecord,
    LabelDifference,
    LabelsChange,
    ObjectRecord,
    Operation,
    PointRow,
    RowsChange,
    RunRequest,
    ScribbleRow,
    ShapeRow,
    Step,
    TargetRecord,
    decode_operation,
    encode_operation,
)
from napari_sam_decoder.project.encoding import decode_changes, encode_changes
from napari_sam_decoder.prompts import PaintedMask, Prompt, Scribble
from napari_sam_decoder.propagation import Direction, ObjectResult, Reason, Verdict

DIFFERENCE = LabelDifference.between(np.zeros((4, 5), int), np.arange(20).reshape(4, 5))
RESULT = ObjectResult(
    3,
    Verdict.DOUBTFUL,
    iou_prediction=0.1234,
    stability=0.5,
    memory_agreement=1.0,
    temporal_iou=0.25,
    area_change=2.0,
    likeness=-0.5,
    hypothesis=2,
    confidence=0.75,
    reason=Reason.TAKEN,
    rival=7,
    mask_area=99,
)
PROMPT = Prompt(
    3, 4, [(1.5, 2), (3, 4)], [True, False], box=(0, 1, 5.5, 6), hypothesis=2
)
PAINTED = Prompt(3, 4, mask=PaintedMask.of(np.eye(4, dtype=bool)))
EYE = PaintedMask.of(np.eye(4, dtype=bool))
SCRIBBLED = Prompt(
    3,
    4,
    [(1, 2)],
    lasso=[(0, 0), (0, 3), (2.5, 3)],
    scribbles=[Scribble(EYE), Scribble(EYE, is_positive=False, after=1)],
)
VALUES = {
    "objects": [
        ObjectRecord("a cell"),
        ObjectRecord("", is_created=False),
        ObjectRecord("locked", is_locked=True),
        ObjectRecord("daughter", is_locked=True, parent=3),
        ObjectRecord("hidden", is_hidden=True),
        ObjectRecord("a twin", is_background=True),
        ObjectRecord("hidden daughter", parent=3, is_hidden=True),
    ],
    "candidates": [
        Candidate((0,), (3,), EYE),
        Candidate((), (), EYE, choice=False),
        Candidate((0, 1), (2, 5), EYE, choice=True, parent=4),
    ],
    "targets": [
        TargetRecord("labels", (3, 4, 5), "uint16"),
        TargetRecord("x", (3, 4), "int32", is_own=False),
    ],
    "options": [{"model": "x", "contrast": [1, 2.5]}, 3, [None]],
    "ids": [True],
    "dismissed": [True],
    "scanned": [True],
    "painted": [DIFFERENCE, DIFFERENCE.inverse()],
    "made": [PROMPT, PAINTED, SCRIBBLED, Prompt(1, 2, mask=np.zeros((3, 3), bool))],
    "withdrawn": [PROMPT],
    "declined": [PROMPT],
    "declined reruns": [frozenset(), frozenset([PROMPT, Prompt(5, 1, [(0, 0)])])],
    "frames": [
        FrameRecord(),
        FrameRecord(RESULT, by_run=True, has_pixels=True),
        FrameRecord(ObjectResult(1, Verdict.SURE), has_pixels=True),
        FrameRecord(replace(RESULT, reason=Reason.DIVIDED, daughters=(EYE, EYE))),
    ],
    "requests": [
        RunRequest(),
        RunRequest(Direction.FORWARD, range(3, 9), (1, 5), replace=True, is_rerun=True),
    ],
    "adopted": [frozenset(), frozenset([1, 2, 3, 7, 9, 10])],
    "inherited": [frozenset([4])],
}
KEYS = st.recursive(
    st.integers(-(2**40), 2**40) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=4,
)


@st.composite
def entries(draw):
    table = draw(st.sampled_from(sorted(VALUES)))
    values = st.none() | st.sampled_from(VALUES[table])
    scope = tuple(draw(st.lists(st.integers(-1, 9), max_size=4)))
    return EntryChange(table, scope, draw(KEYS), draw(values), draw(values))


NUMBERS = st.floats(-1e6, 1e6)
POINTS = st.builds(
    PointRow,
    st.lists(NUMBERS, min_size=2, max_size=4).map(tuple),
    st.integers(1, 2**32 - 1),
    st.booleans(),
    st.integers(0, 3),
)
SHAPES = st.builds(
    ShapeRow,
    st.sampled_from(["rectangle", "polygon", "path"]),
    st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), max_size=5).map(tuple),
    st.integers(1, 2**32 - 1),
    st.booleans(),
    st.integers(0, 3),
)
NO_PIXEL = PaintedMask.of(np.zeros((2, 3), bool))
PLACES = st.lists(st.integers(0, 99), max_size=2).map(tuple)
SCRIBBLES = st.builds(
    ScribbleRow,
    PLACES,
    PLACES,
    st.sampled_from([EYE, PaintedMask.of([[0, 1, 1], [1, 0, 0]]), NO_PIXEL]),
    st.integers(1, 2**32 - 1),
    st.booleans(),
    st.integers(0, 99),
    st.integers(0, 3),
    st.booleans(),
)
OF_KIND = {"points": POINTS, "shapes": SHAPES, "scribbles": SCRIBBLES}
ROWS = st.sampled_from(sorted(OF_KIND)).flatmap(
    lambda name: st.builds(
        RowsChange,
        st.just(name),
        st.integers(0, 99),
        *[st.lists(OF_KIND[name], max_size=3).map(tuple) for _ in range(2)],
    )
)
LABELS = st.builds(
    LabelsChange,
    st.integers(1, 9),
    st.sampled_from([(), (0,), (0, 2)]),
    st.lists(st.integers(0, 99), max_size=2).map(tuple),
    st.sampled_from([DIFFERENCE, DIFFERENCE.inverse()]),
)


@given(st.lists(entries() | ROWS | LABELS, max_size=12))
def test_changes_come_back_as_they_were(changes):
    text = json.dumps(encode_changes(changes))
    assert decode_changes(json.loads(text)) == tuple(changes)


def test_scribbles_without_a_pick_are_read():
    change = RowsChange("scribbles", 0, (), (ScribbleRow((), (), EYE, 1),))
    encoded = json.loads(json.dumps(encode_changes([change])))
    row = encoded[0][-1][0]
    # They were written so while nothing could be picked for them.
    assert row.pop() == 0
    assert decode_changes(encoded) == (change,)


@pytest.mark.parametrize("table", sorted(VALUES))
def test_every_value_of_every_table_comes_back(table):
    changes = [EntryChange(table, (1, 0), (2, 3), None, one) for one in VALUES[table]]
    assert decode_changes(json.loads(json.dumps(encode_changes(changes)))) == tuple(
        changes
    )


@pytest.mark.parametrize(
    "operation",
    [
        Operation(
            "step",
            Step(4, "Add a point", "prompts", {"prompts": [[1, 2]]}, group=3),
            after=2,
            is_redo_lost=True,
        ),
        Operation("extend", Step(4, "", "", group=0)),
        Operation("undo", count=2),
        Operation("redo", count=1),
        Operation("note", changes=(EntryChange("ids", (1,), 5, None, True),)),
        Operation("trim", count=9, is_redo_lost=True),
    ],
    ids=lambda operation: operation.kind,
)
def test_operations_come_back_as_they_were(operation):
    again = decode_operation(json.loads(json.dumps(encode_operation(operation))))
    for name in ("kind", "changes", "after", "count", "is_redo_lost"):
        assert getattr(again, name) == getattr(operation, name), name
    assert (again.step is None) == (operation.step is None)
    if operation.step is not None:
        for name in ("number", "title", "kind", "details", "group"):
            assert getattr(again.step, name) == getattr(operation.step, name), name


@pytest.mark.parametrize("key", [{"x": 1}, [1, {}]])
@pytest.mark.parametrize("with_before", [True, False])
def test_keys_that_are_none_are_refused(key, with_before):
    encoded = [["entries", "ids", [1], [[key, None, True]]]]
    with pytest.raises(ProjectError, match="damaged"):
        decode_changes(encoded, with_before=with_before)


@pytest.mark.parametrize("field", ["step", "group", "count"])
def test_numbers_that_are_none_are_refused(field):
    encoded = {"op": "step", "step": 1, "group": 1, field: float("inf")}
    with pytest.raises(ProjectError, match="damaged"):
        decode_operation(encoded)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["entries", "rows", "labels", *OF_KIND, *VALUES]),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(
                ["object", "frame", "points", "mask", "lasso", "scribbles"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=400)
@given(JSON)
def test_anything_else_is_refused(value):
    with suppress(ProjectError):
        decode_changes(value)


@pytest.mark.parametrize(
    "table",
    sorted(VALUES.keys() - {"options", "ids", "dismissed", "scanned", "frames"}),
)
def test_damaged_values_of_a_table_are_refused(table):
    hostile = [["entries", table, [1], [[[1, 2], None, {"object": 1, "frame": -5}]]]]
    with pytest.raises(ProjectError, match="restore the file from a backup"):
        decode_changes(hostile)


@pytest.mark.parametrize(
    "record", [[], [1], [1, 1, 3], [1, 1, 3, "certain", *[0] * 11], [1, 1, *["x"] * 13]]
)
def test_damaged_records_of_frames_are_refused(record):
    with pytest.raises(ProjectError, match="damaged"):
        decode_changes([["entries", "frames", [1, 0], [[[1, 2], None, record]]]])


def test_frames_that_would_fill_the_memory_are_refused():
    bomb = [["entries", "adopted", [1, 0], [[1, None, [[0, 10**15]]]]]]
    with pytest.raises(ProjectError, match="damaged"):
        decode_changes(bomb)


@pytest.mark.parametrize(
    ("stored", "record"),
    [
        (["a cell", 1], ObjectRecord("a cell")),
        (["a cell", 1, 1, 3], ObjectRecord("a cell", is_locked=True, parent=3)),
    ],
)
def test_objects_of_earlier_versions_are_read(stored, record):
    (change,) = decode_changes([["entries", "objects", [], [[4, None, stored]]]])
    assert change.after == record


def test_objects_with_too_little_or_too_much_are_damaged():
    for damaged in (["a"], ["a", 1, 1, 2, 0, 0, 0]):
        with pytest.raises(ProjectError, match="damaged"):
            decode_changes([["entries", "objects", [], [[4, None, damaged]]]])
