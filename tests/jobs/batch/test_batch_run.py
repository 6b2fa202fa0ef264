from __future__ import annotations

import csv
import errno
import os
from dataclasses import replace

import numpy as np
import pytest
import tifffile
import zarr

from napari_sam_decoder.errors import FormatError, OptionError
from napari_sam_decoder.jobs import MovieOptions, SegmentJob, segment_file
from napari_sam_decoder.jobs.batch import MovieStatus, run_batch
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.propagation import Settings


def statuses(result):
    return {movie.name: movie.status.value for movie in result.movies}


def reason(result, name):
    (found,) = (movie.reason for movie in result.movies if movie.name == name)
    return found


@pytest.fixture
def nothing_found(monkeypatch):
    """No search finds anything; the frames that were searched."""
    searched = []

    def find(session, frame, labels, above, progress):
        searched.append(frame)
        return []

    monkeypatch.setattr("napari_sam_decoder.jobs.segment.found_prompts", find)
    return searched


def rows(result):
    with result.table.open(newline="") as file:
        return list(csv.DictReader(file))


def times(folder):
    return {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*.tif"))}


def test_each_movie_gets_the_labels_that_segment_gives(
    make_job, movies, tiny_sam, tmp_path
):
    result = run_batch(make_job(), tiny_sam)
    assert statuses(result) == {"a": "done", "b": "done"}
    prompts = PromptSet([Prompt(1, 0, [(20, 20)]), Prompt(4, 1, [(10, 30)])])
    alone = SegmentJob(MovieOptions(movies / "b.tif"), prompts, tmp_path / "alone.tif")
    segment_file(alone, tiny_sam)
    expected = tifffile.imread(alone.output)
    assert (tifffile.imread(tmp_path / "results/labels/b.tif") == expected).all()


def test_the_table_has_a_row_for_each_movie_and_object(make_job, tiny_sam):
    result = run_batch(make_job(), tiny_sam)
    found = rows(result)
    assert [(row["movie"], row["object_id"]) for row in found] == [
        ("a", "1"),
        ("b", "1"),
        ("b", "4"),
    ]
    record = result.movies[1].record
    for row, one in zip(found[1:], record.objects, strict=True):
        assert row["status"] == "done"
        assert int(row["frames"]) == one.frames == 3
        assert int(row["doubtful_frames"]) == one.doubtful
        assert int(row["absent_frames"]) == one.absent
        assert float(row["movie_seconds"]) == record.seconds


def test_a_second_run_does_nothing(make_job, tiny_sam, tmp_path, monkeypatch):
    first = run_batch(make_job(), tiny_sam)
    before = times(tmp_path / "results")
    monkeypatch.setattr("napari_sam_decoder.jobs.batch.work.segment_file", None)
    again = run_batch(make_job(), tiny_sam)
    assert statuses(again) == {"a": "kept", "b": "kept"}
    assert times(tmp_path / "results") == before
    assert [movie.record for movie in again.movies] == [
        movie.record for movie in first.movies
    ]
    assert again.page.read_text() == first.page.read_text()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"settings": Settings(stabilise=0.5)}, "settings"),
        ({"auto": (1,)}, "auto"),
        ({"movies": {"stop": 2}}, "frames"),
        ({"movies": {"contrast": (0, 100)}}, "contrast"),
    ],
)
def test_other_options_do_all_again(
    make_job, movies, tiny_sam, nothing_found, change, why
):
    run_batch(make_job(), tiny_sam)
    if "movies" in change:
        change = {"movies": MovieOptions(movies, **change["movies"])}
    again = run_batch(make_job(**change), tiny_sam)
    assert statuses(again) == {"a": "done", "b": "done"}
    assert reason(again, "a") == f"again, with another {why}"


def test_other_weights_do_all_again(make_job, make_tiny_sam, tiny_sam):
    run_batch(make_job(), tiny_sam)
    again = run_batch(make_job(), make_tiny_sam(1))
    assert statuses(again) == {"a": "done", "b": "done"}
    assert reason(again, "b") == "again, with another model"


def test_only_what_changed_is_done_again(make_job, write_movie, points, tiny_sam):
    run_batch(make_job(), tiny_sam)
    write_movie("b.tif", seed=9)
    again = run_batch(make_job(), tiny_sam)
    assert statuses(again) == {"a": "kept", "b": "done"}
    points.write_text(points.read_text().replace("a,0,12,12", "a,0,13,12"))
    again = run_batch(make_job(), tiny_sam)
    assert statuses(again) == {"a": "done", "b": "kept"}
    assert reason(again, "a") == "again, with another points"


def test_lost_labels_and_broken_records_are_made_again(make_job, tiny_sam, tmp_path):
    run_batch(make_job(), tiny_sam)
    (tmp_path / "results/labels/a.tif").unlink()
    assert statuses(run_batch(make_job(), tiny_sam)) == {"a": "done", "b": "kept"}
    (tmp_path / "results/records/b.json").write_text("{")
    assert statuses(run_batch(make_job(), tiny_sam)) == {"a": "kept", "b": "done"}


def test_corrected_labels_are_not_overwritten_unasked(make_job, tiny_sam, tmp_path):
    run_batch(make_job(), tiny_sam)
    labels = tmp_path / "results/labels/a.tif"
    corrected = tifffile.imread(labels) * 0 + 1
    tifffile.imwrite(labels, corrected, photometric="minisblack")
    assert statuses(run_batch(make_job(), tiny_sam))["a"] == "kept"
    other = make_job(settings=Settings(stabilise=0.5))
    refused = run_batch(other, tiny_sam)
    assert statuses(refused) == {"a": "failed", "b": "done"}
    assert "another settings; move it to keep it" in reason(refused, "a")
    assert (tifffile.imread(labels) == corrected).all()
    replaced = run_batch(replace(other, replace=True), tiny_sam)
    assert statuses(replaced) == {"a": "done", "b": "done"}
    assert (tifffile.imread(labels) != corrected).any()


def test_a_failure_keeps_no_other_movie_from_being_done(
    make_job, movies, points, tiny_sam
):
    (movies / "b.tif").write_bytes(b"II*\0 this is no movie")
    (movies / "new.tif").write_bytes((movies / "a.tif").read_bytes())
    points.write_text(points.read_text() + "missing,0,1,1,1\n")
    result = run_batch(make_job(), tiny_sam)
    assert statuses(result) == {
        "a": "done",
        "b": "failed",
        "missing": "failed",
        "new": "failed",
    }
    assert "b.tif" in reason(result, "b")
    assert "has no such movie" in reason(result, "missing")
    assert "new has no points" in reason(result, "new")
    page = result.page.read_text()
    for row in rows(result):
        assert row["status"] == "done" or row["reason"]
        assert row["movie"] in page


def test_an_error_of_ours_is_a_failure_of_one_movie(make_job, tiny_sam, monkeypatch):
    from napari_sam_decoder.jobs.batch import work

    def segment(job, model, progress):
        if job.movie.path.name == "a.tif":
            raise KeyError("oops")
        return segment_file(job, model, progress)

    monkeypatch.setattr(work, "segment_file", segment)
    result = run_batch(make_job(), tiny_sam)
    assert statuses(result) == {"a": "failed", "b": "done"}
    assert "unexpected error: KeyError: 'oops'" in reason(result, "a")


def test_a_full_disk_is_named_and_a_later_run_goes_on(
    make_job, tiny_sam, tmp_path, monkeypatch
):
    from napari_sam_decoder.formats import LabelSink

    def full(sink, provenance):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(LabelSink, "_write_tiff", lambda *_: full(*_[:2]))
        result = run_batch(make_job(), tiny_sam)
    assert statuses(result) == {"a": "failed", "b": "failed"}
    assert "a.tif" in reason(result, "a")
    assert "free some disk space" in reason(result, "a")
    assert statuses(run_batch(make_job(), tiny_sam)) == {"a": "done", "b": "done"}


def test_what_is_stopped_goes_on_later(make_job, tiny_sam, tmp_path):
    def stopping(steps, *, total, what):
        for step in steps:
            yield step
            if what == "b: propagating":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch(make_job(), tiny_sam, stopping)
    table = (tmp_path / "results/table.csv").read_text()
    assert "a,done,1" in table
    assert "b,waiting," in table
    assert not (tmp_path / "results/labels/b.tif").exists()
    assert statuses(run_batch(make_job(), tiny_sam)) == {"a": "kept", "b": "done"}


def test_frames_count_as_far_as_a_movie_has_them(
    make_job, movies, write_movie, points, tiny_sam, nothing_found
):
    write_movie("b.tif", frames=6)
    points.write_text("movie,axis-0,axis-1,axis-2\na,0,12,12\nb,4,10,30\n")
    job = make_job(movies=MovieOptions(movies, stop=5), auto=(0, 4))
    result = run_batch(job, tiny_sam)
    assert [movie.record.frames for movie in result.movies] == [(0, 3), (0, 5)]
    assert nothing_found == [0, 0, 4]
    late = make_job(movies=MovieOptions(movies, start=4))
    result = run_batch(late, tiny_sam)
    assert statuses(result) == {"a": "failed", "b": "done"}
    assert "which has 3 frames" in reason(result, "a")


def test_labels_can_be_zarr(make_job, tiny_sam, tmp_path):
    assert statuses(run_batch(make_job(suffix=".zarr"), tiny_sam))["b"] == "done"
    assert isinstance(zarr.open(tmp_path / "results/labels/b.zarr"), zarr.Array)
    again = run_batch(make_job(suffix=".zarr"), tiny_sam)
    assert statuses(again) == {"a": "kept", "b": "kept"}


def test_objects_are_looked_for_where_no_points_are(make_job, tiny_sam, monkeypatch):
    mask = np.zeros((32, 40), bool)
    mask[4:20, 6:30] = True

    def find(session, frame, labels, above, progress):
        return [Prompt(above + 1, frame, mask=mask)]

    monkeypatch.setattr("napari_sam_decoder.jobs.segment.found_prompts", find)
    result = run_batch(make_job(points=None, pattern="**/*.tif", auto=(0,)), tiny_sam)
    assert statuses(result) == {"a": "done", "b": "done", "deep/c": "done"}
    ids = [[one.object_id for one in movie.record.objects] for movie in result.movies]
    assert ids == [[1], [1], [1]]


def test_a_movie_in_which_nothing_is_found_is_done(make_job, tiny_sam, nothing_found):
    result = run_batch(make_job(points=None, auto=(0,)), tiny_sam)
    done = result.with_status(MovieStatus.DONE)
    assert [movie.name for movie in done] == ["a", "b"]
    assert [(row["movie"], row["object_id"]) for row in rows(result)] == [
        ("a", ""),
        ("b", ""),
    ]
    assert "No object was found" in result.page.read_text()


def test_another_folder_is_no_place_for_results(make_job, tiny_sam, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "thesis.tex").touch()
    with pytest.raises(FormatError, match="holds something else"):
        run_batch(make_job(), tiny_sam)


def test_results_do_not_go_into_a_movie(make_job, movies, tiny_sam):
    job = replace(make_job(pattern="deep"), output=movies / "deep" / "results")
    with pytest.raises(OptionError, match="would overwrite an input"):
        run_batch(job, tiny_sam)


def test_results_within_the_folder_are_no_movies(
    make_job, movies, tiny_sam, nothing_found
):
    job = replace(make_job(), pattern="**/*.tif", auto=(0,), output=movies / "results")
    first = statuses(run_batch(job, tiny_sam))
    assert set(statuses(run_batch(job, tiny_sam))) == set(first)
