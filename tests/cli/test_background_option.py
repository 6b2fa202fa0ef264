"""Background objects from the command line: followed, but not written."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from terminal import complaint_of, read_labels

from napari_sam_decoder import Prompt, Session
from napari_sam_decoder.formats import read_provenance
from napari_sam_decoder.jobs import ReplayJob, replay_project
from napari_sam_decoder.project import Project, background_objects

FIRST, SECOND = "0,10,10,30,30", "0,15,20,40,50,2"
BOTH = ("--box", FIRST, "--box", SECOND, "--quiet")


def only_first(labels):
    return np.where(labels == 1, labels, 0)


@pytest.fixture
def together(run, movie, tmp_path):
    """Both objects in a file, as they are followed without a background object."""
    path = tmp_path / "together.tif"
    assert run("segment", movie, *BOTH, "-o", path)[0] == 0
    labels = read_labels(path)
    assert set(np.unique(labels)) == {0, 1, 2}
    return labels


@pytest.fixture
def labels(run, movie, tmp_path):
    """A file without the second one, which is a background object."""
    path = tmp_path / "labels.tif"
    done = run("segment", movie, *BOTH, "--background", 2, "-o", path)
    assert done[0] == 0, done
    return path


def test_a_background_object_is_followed_but_not_written(labels, together):
    np.testing.assert_array_equal(read_labels(labels), only_first(together))
    noted = read_provenance(labels)
    assert noted["background"] == [2]
    assert [one["object_id"] for one in noted["prompts"]] == [1, 2]


def test_it_is_neither_reported_nor_counted(run, movie, tmp_path):
    report = tmp_path / "report.csv"
    _, out, _ = run(
        *("segment", movie, *BOTH, "--background", 2),
        *("-o", tmp_path / "labels.zarr", "--report", report),
    )
    assert "object 1" in out
    assert "object 2:" not in out
    with report.open() as table:
        assert {row["object_id"] for row in csv.DictReader(table)} == {"1"}


def test_a_session_gives_the_same(labels, together, movie, tiny_sam):
    session = Session(movie, model=tiny_sam)
    session.add_prompt(Prompt(1, 0, box=(10, 10, 30, 30)))
    session.add_prompt(Prompt(2, 0, box=(15, 20, 40, 50)))
    session.background = {2}
    everything, wanted = np.zeros_like(together), np.zeros_like(together)
    for result in session.propagate():
        everything[result.frame] = result.labels
        wanted[result.frame] = result.wanted.labels
        assert set(result.wanted.judged) == {1}
        assert set(result.judged) == {1, 2}
    np.testing.assert_array_equal(everything, together)
    np.testing.assert_array_equal(wanted, read_labels(labels))


def test_a_project_has_it_and_its_labels_have_not(
    run, movie, labels, together, tmp_path
):
    project, written = tmp_path / "work.samproject", tmp_path / "written.zarr"
    done = run(
        *("segment", movie, *BOTH, "--background", 2),
        *("--project", project, "-o", written),
    )
    assert done[0] == 0, done
    np.testing.assert_array_equal(read_labels(written), read_labels(labels))
    assert "object 2:" not in done[1]
    opened, stored = Project.open(project, is_read_only=True)
    np.testing.assert_array_equal(stored[1], together)
    assert background_objects(opened.history.document) == {2}
    replayed = tmp_path / "replayed.tif"
    replay_project(ReplayJob(project, replayed))
    np.testing.assert_array_equal(read_labels(replayed), read_labels(labels))
    assert read_provenance(replayed)["background"] == [2]


def test_an_object_of_a_project_becomes_a_background_object(run, movie, tmp_path):
    project, written = tmp_path / "work.samproject", tmp_path / "written.tif"
    run("segment", movie, *BOTH, "--project", project, "-o", written)
    assert 2 in read_labels(written)
    done = run(
        *("correct", movie, "--box", "2,15,20,40,50,2", "--background", 2),
        *("--project", project, "-o", written),
    )
    assert done[0] == 0, done
    assert set(np.unique(read_labels(written))) == {0, 1}
    again = ("--box", SECOND, "--quiet", "--project", project, "-o", written)
    assert run("segment", movie, *again, "--replace")[0] == 0
    assert 2 in read_labels(written), "segmented again as a wanted object"


def test_a_correction_follows_it_again(run, movie, labels, monkeypatch):
    seen = []
    correct = Session.correct

    def spy(session, corrections, labels, frames):
        seen.append(np.stack([labels[frame] for frame in range(len(labels))]))
        return correct(session, corrections, labels, frames)

    monkeypatch.setattr(Session, "correct", spy)
    before = read_labels(labels)
    done = run("correct", movie, "--labels", labels, "--box", "2,12,10,30,34,1")
    assert done[0] == 0, done
    assert "object 2:" not in done[1]
    (known,) = seen
    assert 2 in known, "its masks are known to the correction"
    np.testing.assert_array_equal(only_first(known), before)
    assert set(np.unique(read_labels(labels))) == {0, 1}
    noted = read_provenance(labels)
    assert noted["background"] == [2]
    assert len(noted["prompts"]) == 3


def test_a_correction_may_add_one(run, movie, labels):
    done = run(
        *("correct", movie, "--labels", labels, "--background", 9),
        *("--box", "1,30,40,44,60,9", "--box", "1,12,10,30,34,1"),
    )
    assert done[0] == 0, done
    assert set(np.unique(read_labels(labels))) == {0, 1}
    assert read_provenance(labels)["background"] == [2, 9]


def test_more_objects_are_added_beside_it(run, movie, labels):
    more = ("segment", movie, "-o", labels, "--quiet", "--box")
    assert "already has object 2" in complaint_of(run(*more, SECOND))
    done = run(*more, "1,30,40,44,60,5", "--box", SECOND, "--background", 2)
    assert done[0] == 0, done
    assert set(np.unique(read_labels(labels))) == {0, 1, 5}
    noted = read_provenance(labels)
    assert noted["background"] == [2]
    assert sorted(one["object_id"] for one in noted["prompts"]) == [1, 2, 5]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--background", 7), "prompts, too, but there are none of object 7"),
        (("--background", 1, "--background", 2), "all objects are background objects"),
        (("--background", 0), "'0' is not an object id"),
    ],
)
def test_what_makes_no_sense_is_refused(run, movie, tmp_path, options, why):
    output = tmp_path / "labels.tif"
    assert why in complaint_of(run("segment", movie, *BOTH, *options, "-o", output))
    assert not output.exists()
