from __future__ import annotations

import numpy as np
import pytest
from ideal_network import as_logits

from napari_sam_decoder.labels import (
    measure_overlaps,
    overlap_after_merge,
    resolve_overlaps,
)
from napari_sam_decoder.model.values import FrameLogits
from napari_sam_decoder.propagation import FrameResult, ObjectResult, Reason, Verdict

SHAPE = (10, 20)
EVERYWHERE = (slice(None), slice(None))


def strip(start, stop):
    mask = np.zeros(SHAPE, bool)
    mask[:, start:stop] = True
    return mask


def judged(masks, strength=None):
    """Judge objects whose masks are given; the stronger one gets what they share."""
    logits = {
        key: FrameLogits(as_logits(mask) * (strength or {}).get(key, 1), EVERYWHERE)
        for key, mask in masks.items()
    }
    labels = resolve_overlaps(logits, SHAPE, np.dtype(np.uint16))
    found = measure_overlaps(logits, labels)
    return {
        key: ObjectResult(key, Verdict.SURE, confidence=0.9).judged_by(overlap)
        for key, overlap in found.items()
    }


def told(result):
    return result.verdict, result.reason, result.rival


def test_objects_side_by_side_are_sure():
    results = judged({1: strip(0, 8), 2: strip(8, 20)})
    assert {told(one) for one in results.values()} == {(Verdict.SURE, None, None)}
    assert [one.mask_area for one in results.values()] == [80, 120]
    assert {one.why for one in results.values()} == {""}


def test_of_two_equal_masks_one_is_absent_and_the_other_doubtful():
    results = judged({5: strip(0, 10), 6: strip(0, 10)}, {5: 2})
    assert told(results[6]) == (Verdict.ABSENT, Reason.TAKEN, 5)
    assert results[6].why == "object 5 has all of its pixels"
    assert results[6].confidence == 0
    assert told(results[5]) == (Verdict.DOUBTFUL, Reason.SHARED, 6)
    assert results[5].why == "object 6 has nearly the same mask"
    assert results[5].confidence == pytest.approx(0, abs=1e-6)


def test_an_object_that_loses_most_is_doubtful_and_so_is_its_rival():
    results = judged({1: strip(0, 16), 2: strip(10, 18)}, {1: 2})
    assert told(results[2]) == (Verdict.DOUBTFUL, Reason.TAKEN, 1)
    assert results[2].confidence == pytest.approx(0.25)
    assert told(results[1]) == (Verdict.DOUBTFUL, Reason.TAKING, 2)
    assert "most of the pixels of object 2" in results[1].why


def test_one_inside_another_is_no_conflict():
    results = judged({1: strip(0, 20), 2: strip(8, 12)}, {2: 2})
    assert {told(one) for one in results.values()} == {(Verdict.SURE, None, None)}


def test_a_third_object_is_not_affected():
    results = judged({1: strip(0, 8), 2: strip(0, 8), 3: strip(8, 20)}, {1: 2})
    assert told(results[3]) == (Verdict.SURE, None, None)


@pytest.mark.parametrize("verdict", [Verdict.PROMPTED, Verdict.SURE, Verdict.DOUBTFUL])
def test_an_empty_mask_is_an_absent_object(verdict):
    empty = {1: FrameLogits(as_logits(strip(0, 0)), EVERYWHERE)}
    (overlap,) = measure_overlaps(empty, np.zeros(SHAPE, np.uint16)).values()
    result = ObjectResult(1, verdict).judged_by(overlap)
    assert told(result) == (Verdict.ABSENT, Reason.EMPTY, None)


def frame_of(mask, verdict=Verdict.SURE):
    labels = np.where(mask, 1, 0).astype(np.uint16)
    result = ObjectResult(1, verdict, confidence=0.9, mask_area=int(mask.sum()))
    return FrameResult(0, labels, {1: result})


@pytest.mark.parametrize(
    ("foreign", "verdict", "reason"),
    [
        (strip(0, 4), Verdict.SURE, None),
        (strip(0, 6), Verdict.DOUBTFUL, Reason.TAKEN),
        (strip(0, 10), Verdict.ABSENT, Reason.TAKEN),
    ],
)
def test_pixels_lost_to_existing_labels_count(foreign, verdict, reason):
    result = frame_of(strip(0, 10))
    merged = result.with_labels(np.where(foreign, 9, result.labels))
    assert told(merged.objects[1]) == (verdict, reason, 9 if reason else None)


@pytest.mark.parametrize(
    ("erased", "verdict", "said"),
    [
        (strip(0, 6), Verdict.DOUBTFUL, "most of its pixels were erased in the labels"),
        (strip(0, 10), Verdict.ABSENT, "all of its pixels were erased in the labels"),
    ],
)
def test_pixels_that_no_object_has_were_erased(erased, verdict, said):
    result = frame_of(strip(0, 10))
    merged = result.with_labels(np.where(erased, 0, result.labels)).objects[1]
    assert told(merged) == (verdict, Reason.ERASED, None)
    assert merged.why == said


def test_losses_add_up():
    result = frame_of(strip(0, 10))
    once = result.with_labels(np.where(strip(0, 3), 8, result.labels))
    twice = once.with_labels(np.where(strip(3, 6), 9, once.labels))
    assert once.objects[1].verdict is Verdict.SURE
    assert told(twice.objects[1]) == (Verdict.DOUBTFUL, Reason.TAKEN, 9)


def test_an_object_with_pixels_is_not_absent():
    gone = FrameResult(0, np.zeros(SHAPE, int), {1: ObjectResult(1, Verdict.ABSENT)})
    kept = gone.with_labels(np.where(strip(0, 5), 1, 0))
    assert told(kept.objects[1]) == (Verdict.DOUBTFUL, Reason.KEPT, None)


def test_reasons_are_written_to_reports_under_the_same_names():
    names = (
        "unsure unlike contradicted divided shared taking taken erased kept lost ended "
        "said empty"
    )
    assert [reason.value for reason in Reason] == names.split()


def test_every_reason_has_a_sentence():
    for reason in Reason:
        result = ObjectResult(1, Verdict.DOUBTFUL, reason=reason, rival=7)
        assert result.why
        assert ("7" in result.why) == reason.is_conflict


def test_the_rival_has_most_of_the_lost_pixels():
    before = np.where(strip(0, 10), 1, 0)
    after = before.copy()
    after[:, :2], after[:, 2:6] = 3, 4
    overlap = overlap_after_merge(1, before, after)
    assert (overlap.area, overlap.kept, overlap.rival) == (100, 40, 4)


def test_results_are_shown_without_their_arrays():
    labels = np.zeros(SHAPE, np.uint16)
    lost = ObjectResult(2, Verdict.ABSENT, reason=Reason.SAID)
    sure = ObjectResult(1, Verdict.SURE, confidence=0.9123)
    assert repr(sure) == "ObjectResult(object_id=1, verdict='sure', confidence=0.91)"
    assert "why='you marked it as absent'" in repr(lost)
    assert repr(FrameResult(3, labels, {1: sure, 2: lost})) == (
        "FrameResult(frame=3, labels=uint16(10, 20), "
        "objects={1: sure 0.91, 2: absent 0.00}, is_final=True)"
    )
