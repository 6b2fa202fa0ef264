from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.errors import LabelsError, OptionError
from napari_sam_decoder.formats import LabelSink, open_labels, read_provenance
from napari_sam_decoder.jobs import JoinJob, join_labels


@pytest.fixture
def write(tmp_path):
    def write_(name, labels, **noted):
        labels = np.asarray(labels, np.uint32)
        path = tmp_path / name
        with LabelSink(path, labels.shape, labels.dtype, axes="ZYX") as sink:
            for frame, plane in enumerate(labels):
                sink.write(frame, plane)
            sink.finish({"axes": "ZYX", **noted})
        return path

    return write_


def test_the_first_file_counts_where_objects_overlap(write, tmp_path):
    one = write("1.tif", [[[1, 1, 0, 0]], [[0, 0, 0, 0]]], prompts=[{"object_id": 1}])
    objects = {"7": {"parent": 1}}
    two = write(
        "2.zarr", [[[0, 7, 7, 0]], [[7, 0, 0, 70000]]], background=[3], objects=objects
    )
    out = tmp_path / "joined.tif"
    assert join_labels(JoinJob((one, two), out)) == 3
    joined = open_labels(out)
    assert joined.dtype == np.uint32
    np.testing.assert_array_equal(
        [joined[0], joined[1]], [[[1, 1, 7, 0]], [[7, 0, 0, 70000]]]
    )
    noted = read_provenance(out)
    assert noted["axes"] == "ZYX"
    assert noted["prompts"] == [{"object_id": 1}]
    assert noted["background"] == [3]
    assert noted["objects"] == objects


def test_an_object_is_in_one_file_only(write, tmp_path):
    parts = write("1.tif", [[[1, 5]]]), write("2.tif", [[[5, 0]]])
    with pytest.raises(LabelsError, match=r"object 5 is in both .*1.tif and .*2.tif"):
        join_labels(JoinJob(parts, tmp_path / "joined.tif"))
    assert not (tmp_path / "joined.tif").exists()


def test_labels_of_another_movie_are_refused(write, tmp_path):
    parts = write("1.tif", [[[1, 5]]]), write("2.tif", [[[2, 0, 0]]])
    with pytest.raises(LabelsError, match="join labels of one movie"):
        join_labels(JoinJob(parts, tmp_path / "joined.tif"))


def test_an_output_is_replaced_only_if_asked(write, tmp_path):
    part, out = write("1.tif", [[[1, 5]]]), write("out.tif", [[[2, 2]]])
    with pytest.raises(OptionError, match="--replace"):
        join_labels(JoinJob((part,), out))
    join_labels(JoinJob((part,), out, replace=True))
    assert open_labels(out)[0].tolist() == [[1, 5]]
    with pytest.raises(OptionError, match="would overwrite an input"):
        join_labels(JoinJob((part,), part, replace=True))


def test_there_must_be_something_to_join(tmp_path):
    with pytest.raises(OptionError, match="no labels to join"):
        join_labels(JoinJob((), tmp_path / "joined.tif"))


def test_damaged_prompts_are_found_before_anything_is_written(write, tmp_path):
    parts = write("1.tif", [[[1, 0]]]), write("2.tif", [[[0, 2]]], prompts=3)
    with pytest.raises(LabelsError, match=r"stored in .*2.tif cannot be read; segment"):
        join_labels(JoinJob(parts, tmp_path / "joined.tif"))
    assert not (tmp_path / "joined.tif").exists()
