"""Projects are made, continued and replayed from the command line."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
import zarr
from terminal import COLUMNS, FRAMES, ROWS, complaint_of, read_labels, write_stack

from napari_sam_decoder.cli import commands
from napari_sam_decoder.errors import MovieError
from napari_sam_decoder.formats import read_provenance
from napari_sam_decoder.jobs.outputs import sole_writer
from napari_sam_decoder.project import (
    LabelDifference,
    LabelsChange,
    PointRow,
    Project,
    Run,
    TargetRecord,
    encode_changes,
)
from napari_sam_decoder.project.journal_file import JournalFile
from napari_sam_decoder.project.journal_lines import StoredOp, op_line

HEADER = "axis-0,axis-1,axis-2,label,object_id\n"


@pytest.fixture
def project(tmp_path):
    return tmp_path / "work.samproject"


@pytest.fixture
def table(tmp_path):
    """Write a table of points and return its path."""

    def write(name, *rows):
        path = tmp_path / name
        path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
        return path

    return write


@pytest.fixture
def segmented(run, movie, project, tmp_path):
    """Object 1, from a box on frame 0, in a project and in a file."""
    labels = tmp_path / "labels.zarr"
    done = run(
        *("segment", movie, "--box", "0,10,10,30,40", "-o", labels),
        *("--project", project, "--quiet"),
    )
    assert done[0] == 0, done
    return labels


@pytest.fixture
def corrected(run, movie, project, segmented, table):
    """The same, corrected with a point on frame 2."""
    done = run(
        *("correct", movie, "--points", table("fix.csv", "2,20,30,,1")),
        *("--project", project, "-o", segmented, "--quiet"),
    )
    assert done[0] == 0, done
    return segmented


def opened(path):
    found, labels = Project.open(path, is_read_only=True)
    return found.history, labels


def test_a_project_has_what_was_done_and_the_labels(segmented, project):
    history, labels = opened(project)
    assert [step.kind for step in history.done] == ["prompts", "run"]
    (box,) = history.document.rows("shapes")
    assert box.vertices[0] == (0.0, 10.0, 10.0)
    assert history.document.table("objects")[1].name == "object 1"
    frames = history.document.table("frames", 1, 0)
    assert set(frames) == {(1, frame) for frame in range(FRAMES)}
    np.testing.assert_array_equal(labels[1], read_labels(segmented))
    assert labels[1].any()


def test_labels_are_those_without_a_project(run, movie, segmented, tmp_path):
    alone = tmp_path / "alone.zarr"
    run("segment", movie, "--box", "0,10,10,30,40", "-o", alone, "--quiet")
    np.testing.assert_array_equal(read_labels(alone), read_labels(segmented))


def test_another_object_is_added_to_a_project(run, movie, project, segmented, table):
    points = table("more.csv", "1,5,50,,4")
    done = run(
        *("segment", movie, "--points", points, "--project", project),
        *("-o", segmented, "--quiet"),
    )
    assert done[0] == 0, done
    history, labels = opened(project)
    assert [step.kind for step in history.done] == ["prompts", "run"] * 2
    assert history.document.rows("points") == (PointRow((1.0, 5.0, 50.0), 4),)
    assert {1, 4} <= set(history.document.table("objects"))
    np.testing.assert_array_equal(labels[1], read_labels(segmented))


def test_an_object_is_segmented_again_only_if_that_is_meant(
    run, movie, project, segmented
):
    command = ("segment", movie, "--box", "1,5,5,20,20", "-o", segmented, "--project")
    assert "already has object 1" in complaint_of(run(*command, project, "--quiet"))
    assert len(opened(project)[0].done) == 2
    assert run(*command, project, "--quiet", "--replace")[0] == 0
    (box,) = opened(project)[0].document.rows("shapes")
    assert box.vertices[0] == (1.0, 5.0, 5.0)


def test_a_correction_continues_a_project(corrected, project):
    history, labels = opened(project)
    kinds = [step.kind for step in history.done]
    assert kinds == ["prompts", "run", "prompts", "correction"]
    assert history.done[3].group == history.done[2].group
    assert history.document.table("made", 1, 0)[1, 2].points == ((20.0, 30.0),)
    assert labels[1][2, 20, 30] == 1
    np.testing.assert_array_equal(labels[1], read_labels(corrected))


def test_undoing_a_correction_restores_the_frames(corrected, project, tmp_path, run):
    found, labels = Project.open(project)
    after = labels[1].copy()
    found.history.undo()
    assert (after != labels[1]).any()
    assert found.history.document.rows("points") == ()
    found.close()
    again = tmp_path / "again.tif"
    assert run("replay", project, "-o", again)[0] == 0
    np.testing.assert_array_equal(read_labels(again), labels[1])


def test_stored_labels_need_no_movie(run, corrected, movie, project, tmp_path):
    movie.unlink()
    for name in ("copy.zarr", "copy.tif"):
        code, out, _ = run("replay", project, "-o", tmp_path / name)
        assert (code, out) == (0, f"labels: {tmp_path / name}\n")
        found = read_labels(tmp_path / name)
        np.testing.assert_array_equal(found, read_labels(corrected))
    noted = read_provenance(tmp_path / "copy.tif")
    assert (noted["movie"], noted["project"]) == (movie.name, project.name)
    assert [one["frame"] for one in noted["prompts"]] == [0, 2]
    assert noted["frames"] == [0, FRAMES]


def test_labels_of_a_project_can_be_corrected_as_a_file(
    run, corrected, movie, project, tmp_path, table
):
    copy = tmp_path / "copy.zarr"
    run("replay", project, "-o", copy)
    points = table("more.csv", "3,20,20,,1")
    code, out, _ = run("correct", movie, "--labels", copy, "--points", points)
    assert code == 0
    assert "no earlier prompts" not in out


def test_computing_again_gives_the_same(run, corrected, project, tmp_path):
    again = tmp_path / "again.zarr"
    code, out, _ = run("replay", project, "--recompute", "-o", again, "--quiet")
    assert code == 0
    assert "0 frames differ" in out
    np.testing.assert_array_equal(read_labels(again), read_labels(corrected))


def test_what_was_undone_is_not_computed_again(run, corrected, project, tmp_path):
    found, labels = Project.open(project)
    found.history.undo()
    found.close()
    again = tmp_path / "again.zarr"
    code, out, _ = run("replay", project, "--recompute", "-o", again, "--quiet")
    assert (code, "0 frames differ" in out) == (0, True)
    np.testing.assert_array_equal(read_labels(again), labels[1])


def test_strokes_are_applied_again(run, movie, segmented, project, tmp_path, table):
    found, labels = Project.open(project)
    before = labels[1][1].copy()
    labels[1][1, 40:44, 40:44] = 9
    difference = LabelDifference.between(before, labels[1][1])
    with found.history.step("Paint", "paint", {"target": 1}):
        found.history.document.record_labels(LabelsChange(1, (0,), (1,), difference))
        found.history.document.table("painted", 1)[(0,), (1,)] = difference
    found.close()
    points = table("more.csv", "3,20,20,,1")
    run("correct", movie, "--points", points, "--project", project, "--quiet")
    again = tmp_path / "again.zarr"
    _, out, _ = run("replay", project, "--recompute", "-o", again, "--quiet")
    assert "0 frames differ" in out
    assert (read_labels(again)[1, 40:44, 40:44] == 9).all()


def test_a_difference_is_told_by_step_and_frame(run, segmented, project, tmp_path):
    """Here the file says that there is one more pixel."""
    lines = project.read_bytes().splitlines()
    for place, raw in enumerate(lines[1:], 1):
        op = StoredOp.parse(raw, place + 1)
        if op.kind == "extend":
            fields = op.decode()
            plane = np.zeros((ROWS, COLUMNS), np.uint16)
            other = plane.copy()
            other[47, 63] = 1
            extra = LabelsChange(1, (0,), (3,), LabelDifference.between(plane, other))
            fields["changes"] += encode_changes([extra])
            last, where = fields, place
    lines[where] = op_line(where, last).rstrip(b"\n")
    project.write_bytes(b"\n".join(lines) + b"\n")
    code, out, _ = run("replay", project, "--recompute", "-o", tmp_path / "a.zarr")
    assert code == 0
    assert "(Run of object 1), frame 3: 1 pixel differs" in out
    assert "1 frame differs" in out


def test_a_step_that_goes_on_with_none_is_told(run, segmented, project, tmp_path):
    lines = project.read_bytes().splitlines()
    for place, raw in enumerate(lines[1:], 1):
        op = StoredOp.parse(raw, place + 1)
        if op.kind == "extend":
            lines[place] = op_line(place, {**op.decode(), "step": 99}).rstrip(b"\n")
    project.write_bytes(b"\n".join(lines) + b"\n")
    code, _, err = run("replay", project, "--recompute", "-o", tmp_path / "a.zarr")
    assert code == 2
    assert "history of the project is damaged" in err
    assert "replay the stored labels instead" in err
    assert not (tmp_path / "a.zarr").exists()


def test_a_movie_that_is_gone_is_asked_for(run, segmented, movie, project, tmp_path):
    moved = movie.rename(tmp_path / "moved.tif")
    command = ("replay", project, "--recompute", "-o", tmp_path / "again.zarr")
    assert "give the file of the movie" in complaint_of(run(*command))
    assert not (tmp_path / "again.zarr").exists()
    code, out, _ = run("replay", project, moved, *command[2:], "--quiet")
    assert (code, "0 frames differ" in out) == (0, True)


def other_pixels(movie):
    stack = tifffile.imread(movie)
    stack[0, 0, 0] += 1
    write_stack(movie, stack)


def other_length(movie):
    write_stack(movie, tifffile.imread(movie)[:2])


@pytest.mark.parametrize(
    ("change", "said"),
    [(other_pixels, "other pixels"), (other_length, r"its shape is (2, 48, 64)")],
)
def test_another_movie_is_refused_with_the_difference(
    run, segmented, movie, project, tmp_path, table, change, said
):
    change(movie)
    before = project.read_bytes()
    points = table("more.csv", "1,5,50,,4")
    for command in (
        ("replay", project, "--recompute", "-o", tmp_path / "again.zarr"),
        ("segment", movie, "--points", points, "--project", project, "-o", segmented),
        ("correct", movie, "--points", points, "--project", project),
    ):
        assert said in complaint_of(run(*command, "--quiet"))
    assert project.read_bytes() == before


def test_a_project_that_is_open_is_refused_but_may_be_read(
    run, segmented, movie, project, tmp_path, table
):
    found, _ = Project.open(project)
    points = table("more.csv", "1,5,50,,4")
    command = ("segment", movie, "--points", points, "--project", project, "--quiet")
    said = complaint_of(run(*command, "-o", segmented))
    assert "is open in another window or process; close it there" in said
    assert run("replay", project, "-o", tmp_path / "copy.zarr")[0] == 0
    found.close()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not a project"),
        (b"hello\n", "is not a project"),
        (
            b'{"format": "napari-sam-decoder-project", "version": 99}\n',
            "newer version",
        ),
    ],
)
def test_what_is_no_project_is_refused_and_left(
    run, movie, project, tmp_path, table, content, said
):
    project.write_bytes(content)
    points = table("more.csv", "1,5,50,,1")
    for command in (
        ("replay", project, "-o", tmp_path / "a.zarr"),
        ("segment", movie, "--points", points, "--project", project, "-o", "a.zarr"),
        ("correct", movie, "--points", points, "--project", project),
    ):
        assert said in complaint_of(run(*command))
    assert project.read_bytes() == content


def test_a_missing_project_is_told(run, movie, tmp_path, table):
    points = table("more.csv", "1,5,50,,1")
    gone = tmp_path / "gone.samproject"
    for command in (
        ("replay", gone, "-o", tmp_path / "a.zarr"),
        ("correct", movie, "--points", points, "--project", gone),
    ):
        assert "there is no project" in complaint_of(run(*command))
    assert not gone.exists()


def test_a_damaged_line_is_named_and_what_precedes_is_used(
    run, corrected, project, tmp_path
):
    lines = project.read_bytes().splitlines(keepends=True)
    lines[-1] = lines[-1].replace(b"changes", b"chanGes")
    project.write_bytes(b"".join(lines))
    code, _, err = run("replay", project, "-o", tmp_path / "copy.zarr")
    assert code == 0
    assert f"line {len(lines)} is damaged" in err
    assert (tmp_path / "copy.zarr").exists()


def test_a_refused_command_leaves_neither_project_nor_labels(
    run, movie, project, tmp_path, table
):
    outside = table("outside.csv", "1,500,50,,1")
    labels = tmp_path / "labels.zarr"
    done = run(
        *("segment", movie, "--points", outside, "--project", project, "-o", labels)
    )
    assert "object 1" in complaint_of(done)
    assert not project.exists()
    assert not labels.exists()


def test_an_error_on_the_way_is_undone(
    run, segmented, movie, project, table, monkeypatch
):
    def fail(self, result):
        raise MovieError("the disk is away; plug it in")

    _, before = opened(project)
    monkeypatch.setattr(Run, "write", fail)
    points = table("more.csv", "1,5,50,,4")
    command = ("segment", movie, "--points", points, "--project", project)
    complaint_of(run(*command, "-o", segmented, "--quiet"))
    history, labels = opened(project)
    assert len(history.done) == 2
    assert history.document.rows("points") == ()
    np.testing.assert_array_equal(labels[1], before[1])


@pytest.mark.parametrize("row", ["3,20,20,,7", "3,20,20,0,7"])
def test_a_correction_of_an_unknown_object_is_refused(
    run, segmented, movie, project, table, row
):
    points = table("more.csv", row)
    done = run("correct", movie, "--points", points, "--project", project, "--quiet")
    assert "object 7 cannot be corrected on frame 3" in complaint_of(done)
    assert len(opened(project)[0].done) == 2


@pytest.mark.parametrize("command", ["segment", "correct"])
def test_a_locked_object_stays_as_it_is(
    run, movie, project, segmented, table, command, tmp_path
):
    work, _ = Project.open(project)
    objects = work.history.document.table("objects")
    with work.history.step("Lock", "objects"):
        objects[1] = replace(objects[1], is_locked=True)
    work.close()
    before = project.read_bytes(), read_labels(segmented)
    points = table("fix.csv", "2,20,30,,1")
    extra = ("--replace",) if command == "segment" else ()
    done = run(
        *(command, movie, "--points", points, "--project", project, *extra),
        *("-o", segmented if command == "correct" else tmp_path / "again.zarr"),
    )
    assert "'object 1' is locked" in complaint_of(done)
    assert project.read_bytes() == before[0]
    np.testing.assert_array_equal(read_labels(segmented), before[1])


def test_labels_of_others_are_not_overwritten(run, segmented, movie, project, tmp_path):
    foreign = tmp_path / "foreign.tif"
    write_stack(foreign, np.full((FRAMES, ROWS, COLUMNS), 5, np.uint16))
    said = complaint_of(run("replay", project, "-o", foreign))
    assert "are not from the project" in said
    assert (tifffile.imread(foreign) == 5).all()
    assert run("replay", project, "-o", foreign, "--replace")[0] == 0


@pytest.mark.parametrize("option", ["--labels", "--painted", "--prompts"])
def test_a_project_has_labels_and_prompts_of_its_own(
    run, segmented, movie, project, table, option
):
    points = table("more.csv", "3,20,20,,1")
    value = {"--labels": segmented, "--painted": "1:0", "--prompts": points}[option]
    done = run(
        *("correct", movie, "--points", points, "--project", project, option, value)
    )
    assert "leave --labels, --painted and --prompts out" in complaint_of(done)


def test_without_labels_or_project_there_is_nothing_to_correct(run, movie, table):
    done = run("correct", movie, "--points", table("more.csv", "3,20,20,,1"))
    assert "give --labels" in complaint_of(done)


def test_several_labels_are_chosen_by_name(run, segmented, project, tmp_path):
    found, _ = Project.open(project)
    shape = (FRAMES, ROWS, COLUMNS)
    with found.history.note():
        found.history.document.table("targets")[2] = TargetRecord("b", shape, "uint8")
    found.close()
    copy = tmp_path / "copy.zarr"
    assert "choose with --target" in complaint_of(run("replay", project, "-o", copy))
    assert run("replay", project, "-o", copy, "--target", "b")[0] == 0
    assert not zarr.open(copy)[:].any()
    said = complaint_of(run("replay", project, "-o", copy, "--target", "c"))
    assert "'SAM labels', 'b'" in said


@pytest.fixture
def launched(monkeypatch):
    """What windows were asked for; there is a display."""
    asked = []

    def launch(arguments, **_):
        asked.append(arguments[1:])
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(commands.subprocess, "run", launch)
    monkeypatch.setattr(commands, "_can_open_window", lambda: True)
    return asked


def test_a_window_is_opened_with_the_movie_read_as_it_was(
    run, segmented, movie, project, tmp_path, launched
):
    assert run("open", project) == (0, "", "")
    moved = movie.rename(tmp_path / "moved.tif")
    assert "give the file of the movie" in complaint_of(run("open", project))
    assert run("open", project, moved) == (0, "", "")
    start = ["-m", "napari_sam_decoder.widgets.launch", "project", str(project)]
    reading = '{"axes": null, "channel": null, "series": null, "at": null}'
    assert launched == [[*start, str(path), reading] for path in (movie, moved)]


def test_no_window_is_opened_for_what_cannot_go_on(
    run, segmented, movie, project, tmp_path, launched
):
    found, _ = Project.open(project)
    assert "close it there" in complaint_of(run("open", project))
    found.close()
    assert "no project" in complaint_of(run("open", tmp_path / "gone.samproject"))
    other_pixels(movie)
    assert "other pixels" in complaint_of(run("open", project))
    assert launched == []


def test_without_a_display_the_remedy_is_told(run, segmented, project, monkeypatch):
    monkeypatch.setattr(commands, "_can_open_window", lambda: False)
    assert "use replay" in complaint_of(run("open", project))


def test_a_channel_is_remembered(run, project, tmp_path, launched):
    stack = np.random.default_rng(0).integers(0, 255, (3, 2, 48, 64)).astype(np.uint8)
    np.save(tmp_path / "channels.npy", stack)
    done = run(
        *("segment", tmp_path / "channels.npy", "--axes", "TCYX", "--channel", 1),
        *("--box", "0,10,10,30,40", "-o", tmp_path / "labels.zarr"),
        *("--project", project, "--quiet"),
    )
    assert done[0] == 0, done
    assert run("open", project)[0] == 0
    reading = '{"axes": "TCYX", "channel": 1, "series": null, "at": null}'
    assert launched[0][-1] == reading
    again = tmp_path / "again.zarr"
    code, out, _ = run("replay", project, "--recompute", "-o", again, "--quiet")
    assert (code, "0 frames differ" in out) == (0, True)


def test_a_project_that_cannot_be_written_is_told(
    run, movie, tmp_path, table, monkeypatch
):
    """As in a folder that is read-only, or on a full disk."""
    points = table("more.csv", "1,5,50,,1")
    (tmp_path / "file").write_text("")
    labels = tmp_path / "labels.zarr"
    done = run(
        *("segment", movie, "--points", points, "--project"),
        *(tmp_path / "file" / "work.samproject", "-o", labels),
    )
    assert "work.samproject" in complaint_of(done)
    assert not labels.exists()


def test_a_disk_that_is_full_on_the_way_is_told(
    run, segmented, movie, project, table, monkeypatch
):
    def fail(self):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = project.read_bytes()
    points = table("more.csv", "1,5,50,,4")
    command = ("segment", movie, "--points", points, "--project", project, "--quiet")
    with monkeypatch.context() as patch:
        patch.setattr(JournalFile, "flush", fail)
        said = complaint_of(run(*command, "-o", segmented))
    assert "No space left" in said
    assert project.read_bytes() == before
    assert len(opened(project)[0].done) == 2
    assert run(*command, "-o", segmented)[0] == 0


@pytest.mark.parametrize("command", ["segment", "correct", "replay", "join"])
def test_an_output_has_one_writer_at_a_time(
    run, movie, segmented, project, tmp_path, command
):
    output = tmp_path / "other.tif"
    box = ("--box", "0,20,20,40,50,7", "--quiet")
    more = {
        "segment": (movie, *box),
        "correct": (movie, "--labels", segmented, *box),
        "replay": (project,),
        "join": (segmented,),
    }[command]
    files = set(tmp_path.iterdir())
    with sole_writer(output):
        said = complaint_of(run(command, *more, "-o", output))
    assert "is being written by another process; wait" in said
    assert set(tmp_path.iterdir()) == files
    assert run(command, *more, "-o", output)[0] == 0
    assert set(tmp_path.iterdir()) - files <= {output, tmp_path / "default-cache"}
