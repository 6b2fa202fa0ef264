import numpy as np
import pytest
import tifffile
from terminal import COLUMNS, FRAMES, ROWS, complaint_of

from napari_sam_decoder import FoundObject, PlacedMask, Session, read_provenance


def block(rows, columns):
    mask = np.zeros((ROWS, COLUMNS), bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


OBJECTS = {0: [block((4, 14), (4, 16))], 2: [block((24, 40), (30, 50))]}
"""What is found on which frame, where it is not occupied."""


@pytest.fixture
def searched(monkeypatch):
    """Find made-up objects; note where it was looked for them, and what was there."""
    asked = []

    def search_objects(self, frame, occupied=None):
        asked.append((frame, occupied.copy()))
        yield None
        placed = [PlacedMask.of(one & ~occupied) for one in OBJECTS.get(frame, ())]
        yield [FoundObject(one, (ROWS, COLUMNS), 0.9) for one in placed]

    monkeypatch.setattr(Session, "search_objects", search_objects)
    return asked


def segment(run, movie, output, *options):
    return run("segment", movie, *options, "-o", output, "--cache", "none")


def test_objects_of_several_frames_are_added_one_after_the_other(
    run, movie, searched, tmp_path
):
    code, *_ = segment(run, movie, tmp_path / "labels.tif", "--auto", "0,2")
    assert code == 0
    labels = tifffile.imread(tmp_path / "labels.tif")
    assert np.array_equal(labels[0] == 1, OBJECTS[0][0])
    on_later = labels[2] == 2
    assert on_later.any()
    assert not (on_later & ~OBJECTS[2][0]).any()
    (first, empty), (second, occupied) = searched
    assert (first, second) == (0, 2)
    assert not empty.any()
    assert np.array_equal(occupied, labels[2] == 1)


def test_without_frames_it_is_the_first(run, movie, searched, tmp_path):
    assert segment(run, movie, tmp_path / "labels.tif", "--auto")[0] == 0
    assert [frame for frame, _ in searched] == [0]


def test_ids_go_on_after_those_that_are_there(run, movie, points, searched, tmp_path):
    output = tmp_path / "labels.zarr"
    assert segment(run, movie, output, "--points", points)[0] == 0
    assert segment(run, movie, output, "--auto")[0] == 0
    import zarr

    ids = set(np.unique(zarr.open(output)[:]))
    assert ids <= {0, 1, 70000, 70001}
    assert 70001 in ids


def test_frames_that_are_not_segmented_are_not_searched(run, movie, searched, tmp_path):
    done = segment(run, movie, tmp_path / "labels.tif", "--auto", f"{FRAMES}")
    assert "--auto" in complaint_of(done)
    assert searched == []


def test_a_project_refuses_it(run, movie, searched, tmp_path):
    project = tmp_path / "work.samproject"
    done = segment(run, movie, tmp_path / "labels.tif", "--auto", "--project", project)
    assert "window" in complaint_of(done)


def test_nothing_found_writes_empty_labels(run, movie, searched, tmp_path):
    assert segment(run, movie, tmp_path / "labels.tif", "--auto", "1")[0] == 0
    assert not tifffile.imread(tmp_path / "labels.tif").any()


def test_every_so_many_frames_are_named_as_a_range(run, movie, searched, tmp_path):
    done = segment(run, movie, tmp_path / "labels.tif", "--auto", f"0:{FRAMES}:2")
    assert done[0] == 0
    assert [frame for frame, _ in searched] == [*range(0, FRAMES, 2)]
    for refused in ("0:4:0", "0:4:1:1", "4:0:1"):
        done = segment(run, movie, tmp_path / "none.tif", "--auto", refused)
        assert "--auto" in complaint_of(done)


def test_a_background_object_is_not_found_again(run, movie, points, searched, tmp_path):
    shown = "--points", points, "--background", "70000"
    done = segment(run, movie, tmp_path / "labels.tif", *shown, "--auto", "0")
    assert done[0] == 0
    assert 70000 not in tifffile.imread(tmp_path / "labels.tif")
    ((_, occupied),) = searched
    assert occupied.any()


def test_a_daughter_knows_her_mother(run, movie, searched, tmp_path):
    output = tmp_path / "labels.tif"
    labels = np.zeros((FRAMES, ROWS, COLUMNS), np.uint8)
    labels[1][block((24, 40), (10, 50))] = 5
    labels[2][block((24, 40), (10, 29))] = 5
    tifffile.imwrite(output, labels, photometric="minisblack")
    assert segment(run, movie, output, "--auto", "2")[0] == 0
    assert read_provenance(output)["objects"] == {"6": {"parent": 5}}
    box = "--box", "2,24,30,39,49,6"
    assert run("correct", movie, "--labels", output, *box, "--cache", "none")[0] == 0
    assert read_provenance(output)["objects"] == {"6": {"parent": 5}}
