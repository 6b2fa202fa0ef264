"""A project is in its file, whatever was done, and goes on from there."""

from __future__ import annotations

import errno
import os
from dataclasses import replace

import numpy as np
import pytest

from napari_sam_decoder.errors import ProjectError
from napari_sam_decoder.project import (
    MovieIdentity,
    PlaneAxes,
    Project,
    ProjectHeader,
)
from napari_sam_decoder.project.journal import read_journal
from napari_sam_decoder.project.journal_file import JournalFile
from napari_sam_decoder.project.replay import make_checkpoint
from project_at_work import HEADER, SHAPE, Cut, Work


@pytest.fixture
def header():
    return HEADER


def reopened(path, **options):
    project, labels = Project.open(path, **options)
    return Work(project, labels[1], is_new=False)


def test_what_was_done_before_and_after_there_was_a_file_is_in_it(tmp_path, header):
    work = Work(Project())
    work.act(0)
    work.project.start(tmp_path / "p.samproject", header)
    for seed in range(1, 9):
        work.act(seed)
    for _ in range(3):
        work.history.undo()
    work.history.redo()
    work.project.close()
    again = reopened(tmp_path / "p.samproject")
    assert again.state == work.state
    assert again.titles == work.titles
    assert again.project.header == header
    again.project.close()


def test_work_goes_on_as_if_it_had_never_been_closed(tmp_path, header):
    work = Work(Project())
    work.project.start(tmp_path / "p.samproject", header)
    blank = work.state
    states = []
    for seed in range(6):
        work.act(seed)
        states.append(work.state)
        work.project.close()
        work = reopened(work.project.path)
        assert work.state == states[-1]
    for before in (*states[-2::-1], blank):
        work.history.undo()
        assert work.state == before
        work.project.close()
        work = reopened(work.project.path)
        assert work.state == before
    for after in states:
        work.history.redo()
        assert work.state == after
    work.project.close()


def test_a_checkpoint_changes_nothing_but_the_way_it_is_opened(tmp_path, header):
    work = Work(Project())
    path = tmp_path / "p.samproject"
    work.project.start(path, header)
    states = [work.state]
    for seed in range(8):
        work.act(seed)
        states.append(work.state)
        if seed == 4:
            work.project._writer.write_checkpoint(make_checkpoint)
            work.project.flush()
    work.history.undo()
    work.history.redo()
    work.project.close()
    contents = read_journal(path)
    assert contents.ops[0]["op"] == "checkpoint"
    assert len(contents.older) == 6
    again = reopened(path)
    assert again.state == work.state
    for before in states[-2::-1]:
        again.history.undo()
        assert again.state == before
    again.project.close()


def test_a_checkpoint_is_written_by_itself_once_there_is_much(
    tmp_path, header, monkeypatch
):
    monkeypatch.setattr("napari_sam_decoder.project.project._FIRST_CHECKPOINT", 5000)
    work = Work(Project())
    work.project.start(tmp_path / "p.samproject", header)
    for seed in range(30):
        work.act(seed)
        work.project.flush()
    work.project.close()
    contents = read_journal(work.project.path)
    kinds = [stored.kind for stored in contents.older]
    assert kinds.count("checkpoint") + 1 in range(2, 5)
    again = reopened(work.project.path)
    assert again.state == work.state
    again.project.close()


def test_a_second_one_is_refused_and_a_look_is_not(tmp_path, header):
    work = Work(Project())
    work.project.start(tmp_path / "p.samproject", header)
    work.act(0)
    work.project.flush()
    with pytest.raises(ProjectError, match="open in another window"):
        Project.open(work.project.path)
    look = reopened(work.project.path, is_read_only=True)
    assert look.state == work.state
    assert not look.project.is_kept
    look.act(1)
    work.project.close()
    assert reopened(work.project.path).state == work.state


def test_planes_along_another_axis_are_in_a_checkpoint_too(tmp_path, header):
    work = Work(Project())
    work.project.start(tmp_path / "p.samproject", header)
    work.act(0)

    class Across(Cut):
        axis, frame_axes, frame_shape, sliced_axes = 1, (0, 2), (5, 16), (1,)

        def index(self, frame):
            return (slice(None), frame, slice(None))

        def origin(self, frame):
            return (0, frame, 0)

    labels = np.full((5, 16), 9, np.uint16)
    with work.history.step("across", "test"):
        work.guarded.write(Across(), 3, labels, [9], replace=True)
    assert PlaneAxes.of((1,)) == work.guarded.axes
    work.project._writer.write_checkpoint(make_checkpoint)
    work.project.flush()
    work.project.close()
    assert read_journal(work.project.path).ops[0]["op"] == "checkpoint"
    again = reopened(work.project.path)
    assert again.state == work.state
    again.project.close()


def test_it_can_go_on_in_another_file(tmp_path, header):
    work = Work(Project())
    work.project.start(tmp_path / "p.samproject", header)
    work.act(0)
    work.project.flush()
    before = work.project.path.read_bytes()
    other = ProjectHeader(MovieIdentity(None, "m", SHAPE, "uint8", "1" * 64), "none")
    work.project.branch_off(tmp_path / "q.samproject", other)
    work.act(1)
    work.project.close()
    assert (tmp_path / "p.samproject").read_bytes() == before
    again = reopened(tmp_path / "q.samproject")
    assert again.project.header == other
    assert again.state == work.state
    assert again.titles == work.titles
    again.project.close()


def test_a_project_that_was_changed_somewhere_else_is_not_gone_on_with(
    tmp_path, header
):
    work = Work(Project())
    work.project.start(tmp_path / "p.samproject", header)
    work.act(0)
    work.project.close()
    work.act(1)
    elsewhere = reopened(tmp_path / "p.samproject")
    elsewhere.act(2)
    elsewhere.project.close()
    with pytest.raises(ProjectError, match="was changed somewhere else"):
        work.project.reopen()
    assert not work.project.is_kept


def test_what_could_not_be_saved_before_it_was_closed_is_told(
    tmp_path, header, monkeypatch
):
    work = Work(Project())
    work.project.start(tmp_path / "p.samproject", header)
    work.act(0)
    work.project.flush()
    with monkeypatch.context() as patch:
        patch.setattr(JournalFile, "_write", no_room)
        work.act(1)
        work.project.close()
    assert "No space left" in str(work.project.failure)
    with pytest.raises(ProjectError, match="could not be saved before"):
        work.project.reopen()
    assert "save the labels as a file" in str(work.project.failure)
    with pytest.raises(ProjectError, match="could not be saved before"):
        work.project.copy_to(tmp_path / "copy")


def no_room(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def kept(tmp_path, header):
    """A project whose file has all that was done."""
    work = Work(Project())
    work.project.start(tmp_path / "p.samproject", header)
    for seed in range(3):
        work.act(seed)
    work.project.flush()
    yield work
    work.project.close()


def is_whole(copy, work):
    again = reopened(copy)
    again.project.close()
    return (again.state, again.titles) == (work.state, work.titles)


def test_a_copy_has_what_a_file_that_was_replaced_lacks(kept, tmp_path):
    copy, path = tmp_path / "copy.samproject", kept.project.path
    other = Work(Project())
    header = replace(kept.project.header, model="another")
    other.project.start(tmp_path / "other.samproject", header)
    other.project.close()
    os.replace(other.project.path, path)
    kept.act(3)
    assert not kept.project.flush()
    copy.write_bytes(b"a good file")
    kept.project.copy_to(copy, overwrite=True)
    assert is_whole(copy, kept)
    assert not Project.open(path, is_read_only=True)[0].history.done


def test_another_file_that_goes_on_has_it_too(kept, tmp_path, header, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(JournalFile, "_write", no_room)
        kept.act(3)
        assert not kept.project.flush()
        patch.setattr(JournalFile, "_write", JournalFile._write)
        kept.project.branch_off(tmp_path / "q.samproject", header)
    kept.act(4)
    kept.project.close()
    assert is_whole(tmp_path / "q.samproject", kept)


def test_a_copy_has_what_a_file_lacks_that_cannot_be_opened_again(kept, tmp_path):
    kept.project.close()
    elsewhere = reopened(kept.project.path)
    kept.act(3)
    with pytest.raises(ProjectError, match="open in another window"):
        kept.project.reopen()
    assert "open in another window" in str(kept.project.failure)
    kept.project.copy_to(tmp_path / "copy.samproject")
    assert is_whole(tmp_path / "copy.samproject", kept)
    elsewhere.act(4)
    elsewhere.project.close()
    with pytest.raises(ProjectError, match="was changed somewhere else"):
        kept.project.copy_to(tmp_path / "another.samproject")
    assert not (tmp_path / "another.samproject").exists()


def test_a_copy_is_made_of_whole_lines_while_the_project_is_written(kept, tmp_path):
    with kept.project.path.open("ab") as stream:
        stream.write(b'{"n":4,"op":"st')
    kept.project.copy_to(tmp_path / "copy.samproject")
    assert is_whole(tmp_path / "copy.samproject", kept)


def test_a_place_that_cannot_be_written_is_refused(kept, tmp_path):
    with pytest.raises(ProjectError, match=r"cannot write the project.*check the path"):
        kept.project.copy_to(tmp_path / "no folder" / "copy")
    with pytest.raises(ProjectError, match="exists; choose another name"):
        kept.project.copy_to(tmp_path)
    with pytest.raises(ProjectError, match="has no file yet"):
        Project().copy_to(tmp_path / "copy")
