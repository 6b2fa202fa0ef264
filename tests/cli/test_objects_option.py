from __future__ import annotations

import numpy as np
import pytest
from terminal import complaint_of, read_labels

from napari_sam_decoder.formats import read_provenance


def test_objects_that_are_chosen_are_followed_alone(run, movie, points, tmp_path):
    parts = []
    for ids in ("1", "70000"):
        parts.append(tmp_path / f"{ids}.tif")
        asked = "--points", points, "--objects", ids, "-o", parts[-1], "--quiet"
        code, out, _ = run("segment", movie, *asked)
        assert code == 0
        assert out.startswith(f"object {ids}: 4 frames")
        assert set(np.unique(read_labels(parts[-1]))) <= {0, int(ids)}
        noted = read_provenance(parts[-1])["prompts"]
        assert {one["object_id"] for one in noted} == {int(ids)}
    joined = tmp_path / "joined.tif"
    code, out, _ = run("join", *parts, "-o", joined, "--quiet")
    assert code == 0
    assert f"labels: {joined}" in out
    first, second = map(read_labels, parts)
    expected = np.where(first > 0, first, second)
    np.testing.assert_array_equal(read_labels(joined), expected)
    noted = read_provenance(joined)["prompts"]
    assert {one["object_id"] for one in noted} == {1, 70000}


def test_a_range_of_objects_may_be_chosen(run, movie, points, tmp_path):
    asked = "--points", points, "--objects", "1:3", "-o", tmp_path / "a.tif"
    assert "no prompts of object 2" in complaint_of(run("segment", movie, *asked))


@pytest.mark.parametrize("ids", ["0", "a", "3:3", "1,", "0:2"])
def test_what_is_no_object_is_refused(run, movie, points, tmp_path, ids):
    asked = "--points", points, "--objects", ids, "-o", tmp_path / "a.tif"
    assert "is not a list of object ids" in complaint_of(run("segment", movie, *asked))


def test_objects_are_not_chosen_among_those_to_be_found(run, movie, points, tmp_path):
    asked = "--points", points, "--objects", "1", "-o", tmp_path / "a.tif"
    for more in (("--auto",), ("--project", tmp_path / "a.samproject")):
        assert "chooses among prompts" in complaint_of(
            run("segment", movie, *asked, *more)
        )
