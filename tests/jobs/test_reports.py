from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from napari_sam_decoder.frames import Movie
from napari_sam_decoder.jobs import Report, summarise
from napari_sam_decoder.jobs.reports import frame_ranges
from napari_sam_decoder.measurements import PixelSize, measure_frame
from napari_sam_decoder.propagation import FrameResult, ObjectResult, Reason, Verdict


def result(frame, verdict, object_id=1, confidence=0.5, area=3):
    labels = np.zeros((4, 4), np.uint16)
    labels.flat[:area] = object_id
    seen = ObjectResult(
        object_id, verdict, 0.95, 0.9, 0.8, 0.7, 1.1, 0.6, confidence=confidence
    )
    return FrameResult(frame, labels, {object_id: seen})


@pytest.fixture
def report():
    report = Report()
    for frame, verdict in enumerate(
        [Verdict.PROMPTED, Verdict.DOUBTFUL, Verdict.DOUBTFUL, Verdict.ABSENT]
    ):
        report.add(result(frame, verdict))
    return report


def test_a_line_per_object_names_the_frames_to_look_at(report):
    report.add(result(0, Verdict.SURE, object_id=7))
    assert list(summarise(report)) == [
        "object 1: 4 frames, 2 doubtful (1-2), 1 absent (3)",
        "object 7: 1 frame",
    ]


def test_after_a_correction_a_line_tells_the_cost(report):
    assert list(summarise(report, recomputed_of=60)) == [
        "object 1: 4 of 60 frames recomputed, 2 doubtful (1-2), 1 absent (3)"
    ]


def test_a_later_result_replaces_an_earlier_one(report):
    report.add(result(1, Verdict.SURE))
    assert report.frames_with(1, Verdict.DOUBTFUL) == [2]


def test_confidence_follows_the_frames(report):
    report.add(result(9, Verdict.SURE, confidence=0.7))
    np.testing.assert_allclose(report.confidence(1), [0.5] * 4 + [0.7])
    assert repr(report) == "Report(1 objects on 5 frames)"


def test_the_table_has_a_row_per_object_and_frame(report):
    rows = report.to_csv().splitlines()
    assert rows[0] == (
        "object_id,frame,verdict,confidence,iou_prediction,stability,"
        "memory_agreement,temporal_iou,area_change,likeness,area,"
        "scaled_area,centroid_row,centroid_column,mean_intensity,unit,reason,rival"
    )
    assert rows[2] == (
        "1,1,doubtful,0.5000,0.9500,0.9000,0.8000,0.7000,1.1000,0.6000,3,,,,,,,"
    )
    assert len(rows) == 5


def test_a_line_names_the_object_that_is_in_the_way(report):
    for frame in (4, 5):
        lost = ObjectResult(1, Verdict.ABSENT, reason=Reason.TAKEN, rival=7)
        report.add(FrameResult(frame, np.zeros((4, 4), int), {1: lost}))
    (line,) = summarise(report)
    assert line.endswith("3 absent (3-5), object 7 has all of its pixels (4-5)")
    assert report.to_csv().splitlines()[-1].endswith(",0,,,,,,taken,7")


def test_a_line_says_where_an_object_has_divided(report):
    for frame in (5, 4):
        divided = result(frame, Verdict.SURE)
        report.add(replace(divided, objects={1: divided.objects[1].divided()}))
    (line,) = summarise(report)
    assert line.endswith("seems to have divided (frame 4)")


def test_who_has_lost_to_a_correction_is_noted(report):
    lost = ObjectResult(2, Verdict.DOUBTFUL, reason=Reason.TAKEN, rival=1)
    corrected = replace(result(0, Verdict.PROMPTED), affected={2: lost})
    report.add(corrected)
    assert report.frames_with(2, Verdict.DOUBTFUL) == [0]


@pytest.mark.parametrize(
    ("frames", "text"), [([], ""), ([3], "3"), ([1, 2, 3, 7, 9, 10], "1-3, 7, 9-10")]
)
def test_frames_are_written_as_people_do(frames, text):
    assert frame_ranges(frames) == text


PIXELS = np.arange(16, dtype=float).reshape(1, 4, 4)


def test_brightness_is_measured_where_the_movie_is_known():
    report = Report(Movie(PIXELS), PixelSize(2, 2, "micrometer"))
    report.add(replace(result(0, Verdict.SURE, area=9), is_final=False))
    assert report.measurements == {}, "it comes again"
    report.add(result(0, Verdict.SURE))
    (row,) = csv.DictReader(io.StringIO(report.to_csv()))
    assert (row["area"], row["scaled_area"], row["unit"]) == (
        "3",
        "12.0000",
        "micrometer",
    )
    assert (row["centroid_row"], row["centroid_column"]) == ("0.0000", "2.0000")
    assert row["mean_intensity"] == "1.0000"
    report.add(result(0, Verdict.ABSENT, area=0))
    (row,) = csv.DictReader(io.StringIO(report.to_csv()))
    assert (row["area"], row["mean_intensity"], row["unit"]) == ("0", "", "")


def test_labels_are_reported_whatever_made_them():
    report, labels = Report(pixel_size=PixelSize()), np.zeros((4, 4), int)
    labels[0], labels[2:] = 3, 5
    measured = measure_frame(1, labels, PIXELS[0], PixelSize())
    known = {5: ObjectResult(5, Verdict.DOUBTFUL, confidence=0.5)}
    lost = {5: ObjectResult(5, Verdict.ABSENT, confidence=0.1)}
    report.add_measured(1, known, measured)
    report.add_measured(2, lost, {})
    rows = list(csv.DictReader(io.StringIO(report.to_csv())))
    assert [(one["object_id"], one["frame"], one["area"]) for one in rows] == [
        ("3", "1", "4"),
        ("5", "1", "8"),
        ("5", "2", "0"),
    ]
    assert [one["verdict"] for one in rows] == ["", "doubtful", "absent"]
    third, fifth = report.by_object()
    assert (third["index"], third["frames"], third["doubtful_frames"]) == (3, 1, 0)
    assert np.isnan(third["mean_confidence"])
    assert (fifth["first_frame"], fifth["last_frame"]) == (1, 1)
    assert fifth["doubtful_frames"] == 1
    assert fifth["mean_area"] == 8
    assert fifth["mean_intensity"] == 11.5
