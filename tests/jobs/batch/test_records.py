"""Records of movies that are done; what makes no sense counts as not done."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from napari_sam_decoder.jobs.batch.records import (
    MovieRecord,
    ObjectSummary,
    Picture,
    read_record,
    write_record,
)

OBJECT = ObjectSummary(3, 9, 1, 0, 0.75, None, (0.5, 1.0), "ds")
RECORD = MovieRecord(
    {"model": "tiny"},
    {"files": 1},
    (0, 9),
    2.5,
    (OBJECT,),
    (Picture(0, "the first frame", 40, 32, "UklGRg=="),),
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.json"


def test_a_record_comes_back(path):
    write_record(path, RECORD)
    assert read_record(path) == RECORD


def test_without_objects_it_comes_back_as_well(path):
    record = replace(RECORD, objects=(), pictures=())
    write_record(path, record)
    assert read_record(path) == record


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("seconds",), float("nan")),
        (("seconds",), [1]),
        (("frames",), [0, float("inf")]),
        (("frames",), 3),
        (("made_from",), 3),
        (("objects",), 3),
        (("objects", 0), []),
        (("objects", 0, "frames"), "many"),
        (("objects", 0, "doubtful"), None),
        (("objects", 0, "mean_confidence"), float("inf")),
        (("objects", 0, "lowest_confidence"), "low"),
        (("objects", 0, "curve"), 0.5),
        (("objects", 0, "curve", 0), float("nan")),
        (("objects", 0, "curve", 0), "high"),
        (("objects", 0, "verdicts"), "d"),
        (("objects", 0, "verdicts"), "dx"),
        (("objects", 0, "verdicts"), 7),
        (("pictures", 0), "a picture"),
        (("pictures", 0, "frame"), {}),
        (("pictures", 0, "width"), "wide"),
        (("pictures", 0, "caption"), None),
        (("pictures", 0, "webp"), 0),
    ],
)
def test_a_damaged_record_counts_as_none(path, place, value):
    stored = RECORD.to_json()
    stored = json.loads(json.dumps(stored))
    holder = stored
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    path.write_text(json.dumps(stored))
    assert read_record(path) is None
