import json

import numpy as np
import pytest
import tifffile
from label_movies import LABELS, PROVENANCE, label_movie, written

from napari_sam_decoder import FormatError, LabelsError
from napari_sam_decoder.formats import open_labels
from napari_sam_decoder.formats.exchange.cell_tracking import write_cell_tracking


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "01_RES"
    assert written(write_cell_tracking, label_movie(), folder) == 2 * list(range(6))
    return folder


def test_the_table_names_tracklets_with_first_and_last_frame_and_parent(folder):
    rows = np.loadtxt(folder / "res_track.txt", int).tolist()
    assert rows == [
        *([1, 0, 5, 0], [2, 0, 2, 0], [3, 3, 5, 2]),
        *([4, 3, 5, 2], [7, 0, 1, 0], [8, 3, 5, 7]),
    ]


def test_each_tracklet_has_a_mask_on_each_of_its_frames(folder):
    for number, first, last, _ in np.loadtxt(folder / "res_track.txt", int):
        on_frames = [
            frame
            for frame in range(6)
            if (tifffile.imread(folder / f"mask{frame:03}.tif") == number).any()
        ]
        assert on_frames == list(range(first, last + 1))


def test_the_masks_are_the_labels_but_for_what_comes_after_a_gap(folder):
    masks = open_labels(folder)[:]
    assert masks.dtype == np.uint16
    assert np.array_equal(np.where(masks == 8, 7, masks), LABELS)


def test_the_provenance_is_beside_the_masks(folder):
    assert json.loads((folder / "provenance.json").read_text()) == PROVENANCE


def test_an_earlier_result_is_replaced(folder):
    written(write_cell_tracking, label_movie(LABELS[:2]), folder)
    assert len(list(folder.glob("mask*.tif"))) == 2


def test_another_folder_stays(tmp_path):
    (tmp_path / "01_RES").mkdir()
    (tmp_path / "01_RES" / "notes.txt").write_text("kept")
    with pytest.raises(FormatError, match="in the way"):
        written(write_cell_tracking, label_movie(), tmp_path / "01_RES")
    assert [one.name for one in (tmp_path / "01_RES").iterdir()] == ["notes.txt"]


def test_more_tracklets_than_fit_are_refused(tmp_path):
    labels = np.full((1, 4, 4), 70_000, np.uint32)
    with pytest.raises(LabelsError, match="65535"):
        written(write_cell_tracking, label_movie(labels), tmp_path / "01_RES")
    assert list(tmp_path.iterdir()) == []
