"""What is done on a movie is in a file at once, whatever happens to the window."""

from __future__ import annotations

import os
import threading
from dataclasses import replace

import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

import numpy as np
from stage import squares

from napari_sam_decoder.errors import ProjectError
from napari_sam_decoder.project import Project
from napari_sam_decoder.project.journal import is_open
from napari_sam_decoder.widgets import controller
from napari_sam_decoder.widgets.job_queue import wait_until
from napari_sam_decoder.widgets.unfinished import unfinished_anywhere

pytestmark = pytest.mark.gui


def begin(bench, seed=0):
    movie, _ = squares(4)
    movie[0, 0, 0] = seed
    bench.choose_movie(bench.viewer.add_image(movie, name="squares"))
    return bench


def projects(tmp_path):
    return sorted((tmp_path / "projects").glob("*.samproject"))


def titles(path):
    project, _ = Project.open(path, is_read_only=True)
    return [step.title for step in project.history.done]


def test_a_file_is_made_with_the_first_action(fresh, tmp_path):
    begin(fresh).wait()
    assert not projects(tmp_path), "a movie was only looked at"
    fresh.new_object()
    fresh.wait()
    (path,) = projects(tmp_path)
    project = fresh.controller.state.project
    assert project.flush()
    assert project.path == path
    assert titles(path) == ["New object"]
    assert project.header.movie.name == "squares"


def test_work_that_is_not_resumed_is_left_as_it_is(fresh, make_bench, tmp_path):
    begin(fresh).new_object("first")
    fresh.wait()
    fresh.close()
    (old,) = projects(tmp_path)
    before = old.read_bytes()
    other = begin(make_bench())
    other.wait()
    assert [offer.path for offer in other.controller.state.offers] == [old]
    other.new_object("second")
    other.wait()
    other.close()
    assert old.read_bytes() == before
    assert len(projects(tmp_path)) == 2


def test_a_movie_that_was_removed_and_is_back_is_offered_its_work(fresh, tmp_path):
    begin(fresh).new_object("first")
    fresh.wait()
    fresh.viewer.layers.remove("squares")
    begin(fresh).wait()
    assert [offer.path for offer in fresh.controller.state.offers] == projects(tmp_path)
    fresh.resume()
    fresh.wait()
    assert [one.name for one in fresh.objects.listed] == ["first"]


def test_another_movie_is_not_offered_it(fresh, make_bench):
    begin(fresh).new_object()
    fresh.wait()
    other = begin(make_bench(), seed=1)
    other.wait()
    assert other.controller.state.offers == ()
    with pytest.raises(ProjectError, match="no other project"):
        other.resume()


def test_a_second_window_is_told(fresh, make_bench):
    begin(fresh).new_object("first")
    fresh.wait()
    other = begin(make_bench())
    other.wait()
    (offer,) = other.controller.state.offers
    assert offer.is_open
    other.new_object("second")
    other.resume()
    with pytest.raises(ProjectError, match="open in another window"):
        other.wait()
    assert [one.name for one in other.objects.listed] == ["second"]
    other.wait()
    assert other.controller.state.project.flush()


def test_a_folder_that_cannot_be_written_is_told_once_and_tried_again(
    fresh, monkeypatch, tmp_path
):
    blocked = tmp_path / "a file"
    blocked.write_text("")
    monkeypatch.setenv("NAPARI_SAM_DECODER_PROJECTS", str(blocked / "projects"))
    begin(fresh).new_object()
    with pytest.raises(ProjectError, match="what you do is not saved: cannot write"):
        fresh.wait()
    fresh.new_object()
    fresh.wait()
    assert fresh.controller.state.is_keeping_off
    blocked.unlink()
    fresh.save_now()
    assert fresh.controller.state.project.flush()
    assert titles(fresh.controller.state.project.path) == ["New object"] * 2


def test_a_closed_dock_lets_the_project_go_and_another_one_goes_on(fresh, make_bench):
    begin(fresh).new_object("first")
    fresh.wait()
    viewer, path = fresh.viewer, fresh.controller.state.project.path
    fresh.close()
    from napari_sam_decoder.widgets.workbench import Workbench

    again = Workbench(viewer)
    again.choose_movie(viewer.layers["squares"])
    again.new_object("second")
    again.wait()
    assert again.controller.state.project.path == path
    again.close()
    assert titles(path) == ["New object"] * 2


def test_a_copy_has_all_that_was_done(fresh, tmp_path):
    begin(fresh)
    with pytest.raises(ProjectError, match="nothing has been done"):
        fresh.save_project_as(tmp_path / "copy.samproject")
    fresh.new_object()
    fresh.wait()
    fresh.save_project_as(tmp_path / "copy.samproject")
    assert titles(tmp_path / "copy.samproject") == ["New object"]
    with pytest.raises(ProjectError, match="exists"):
        fresh.save_project_as(tmp_path / "copy.samproject")


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps open files")
def test_a_project_that_was_replaced_is_saved_under_another_name(fresh, tmp_path):
    """As the message tells a person to do."""
    begin(fresh).new_object("mine 1")
    fresh.wait()
    project = fresh.controller.state.project
    project.flush()
    other = Project()
    header = replace(project.header, model="another")
    other.start(tmp_path / "other.samproject", header)
    other.close()
    os.replace(other.path, project.path)
    assert unfinished_anywhere(fresh.controller) == ()
    fresh.new_object("mine 2")
    with pytest.raises(ProjectError, match="save the project under another name"):
        fresh.wait(until=lambda: False)
    (told,) = unfinished_anywhere(fresh.controller)
    assert "'squares'" in told
    assert "save the project under another name" in told
    copy = tmp_path / "copy.samproject"
    copy.write_text("may be replaced")
    fresh.save_project_as(copy, overwrite=True)
    assert titles(copy) == ["New object"] * 2
    assert titles(project.path) == []


def test_what_is_in_no_file_is_told_before_the_window_closes(
    fresh, monkeypatch, tmp_path
):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("NAPARI_SAM_DECODER_PROJECTS", str(tmp_path / "a file" / "in"))
    begin(fresh).new_object()
    with pytest.raises(ProjectError, match="what you do is not saved"):
        fresh.wait()
    (told,) = unfinished_anywhere(fresh.controller)
    assert "save the labels as a file" in told
    with pytest.raises(ProjectError, match="Try again"):
        fresh.save_project_as(tmp_path / "copy.samproject")


def test_a_project_that_was_open_elsewhere_is_gone_on_with(fresh, qapp):
    begin(fresh).new_object("first")
    fresh.wait()
    project = fresh.controller.state.project
    project.close()
    elsewhere, _ = Project.open(project.path)
    fresh.controller.files.follow(fresh.controller.state)
    with pytest.raises(ProjectError, match="open in another window"):
        fresh.wait(until=lambda: False)
    fresh.new_object("second")
    assert unfinished_anywhere(fresh.controller)
    elsewhere.close()
    fresh.save_now()
    assert project.flush()
    assert unfinished_anywhere(fresh.controller) == ()
    assert titles(project.path) == ["New object"] * 2


def test_scribbles_come_back(fresh, make_bench):
    begin(fresh).new_object("first")
    pixels = np.zeros(fresh.movie.frame_shape, bool)
    pixels[12:15, 10:20] = True
    fresh.add_scribble(1, pixels)
    fresh.wait()
    kept = fresh.objects.scribbles
    fresh.close()
    other = begin(make_bench())
    other.wait()
    other.resume()
    other.wait()
    assert len(kept) == 1
    assert other.objects.scribbles == kept
    assert [prompt.frame for prompt in other.controller.prompts] == [1]
    other.undo()
    other.wait()
    assert other.objects.scribbles == ()


def to_mine(bench):
    bench.choose_labels(bench.viewer.layers["mine"])


def to_new_ones(bench):
    bench.choose_labels(None)


def to_new_ones_of_a_run(bench):
    bench.choose_labels(None)
    bench.propagate()


def to_new_ones_in_place_of_removed(bench):
    bench.viewer.layers.remove("yours")
    bench.propagate()


@pytest.mark.parametrize(
    "choose",
    [to_mine, to_new_ones, to_new_ones_of_a_run, to_new_ones_in_place_of_removed],
)
def test_results_go_where_they_went_before(fresh, make_bench, choose):
    begin(fresh).new_object("first")
    fresh.add_points((0, 16, 15))
    for name in ("mine", "yours"):
        layer = fresh.viewer.add_labels(np.zeros((4, 64, 64), np.uint16), name=name)
        fresh.choose_labels(layer)
        fresh.propagate()
        fresh.wait()
    choose(fresh)
    fresh.wait()
    before = fresh.labels and fresh.labels.name
    fresh.close()
    other = begin(make_bench())
    other.wait()
    other.resume()
    other.wait()
    assert (other.labels and other.labels.name) == before
    to_mine(other)
    to_new_ones(other)
    other.propagate()
    other.wait()
    number = other.controller.state.target.number
    assert other.history.document.table("options")["target"] == number


def test_other_pixels_get_a_project_of_their_own(fresh, tmp_path):
    begin(fresh).new_object("first")
    fresh.wait()
    (old,) = projects(tmp_path)
    fresh.controller.state.project.flush()
    before = old.read_bytes()
    movie, _ = squares(4)
    movie[0, 0, 0] = 9
    fresh.movie.layer.data = movie
    fresh.wait()
    fresh.new_object("second")
    fresh.wait()
    project = fresh.controller.state.project
    assert project.flush()
    assert project.path != old
    assert titles(project.path) == ["New object"] * 2
    assert old.read_bytes() == before
    fresh.undo()
    fresh.undo()
    assert not fresh.objects.listed


@pytest.fixture
def path(fresh, tmp_path):
    """Of a project with one object that is open nowhere."""
    begin(fresh).new_object("first")
    fresh.wait()
    fresh.close()
    (path,) = projects(tmp_path)
    return path


@pytest.fixture
def gate(monkeypatch):
    """Projects are opened, but do not reach the window before this is set."""
    opened, gate = Project.open, threading.Event()

    def open_slowly(*arguments, **options):
        found = opened(*arguments, **options)
        gate.wait(20)
        return found

    monkeypatch.setattr(Project, "open", open_slowly)
    yield gate
    gate.set()


def resuming(bench, path):
    """A window in which a project is open that has not arrived yet."""
    begin(bench).wait()
    bench.resume(path)
    assert wait_until(lambda: is_open(path), 20)
    return bench


def test_a_project_that_opens_after_the_dock_was_closed_is_let_go(
    path, gate, make_bench
):
    resuming(make_bench(), path).close()
    gate.set()
    assert wait_until(lambda: not is_open(path), 20)
    other = begin(make_bench())
    other.wait()
    other.resume(path)
    other.wait()
    assert [one.name for one in other.objects.listed] == ["first"]


def test_a_project_that_has_not_arrived_when_the_dock_is_closed_is_let_go(
    path, make_bench
):
    other = begin(make_bench())
    other.wait()
    other.resume(path)
    (job,) = other.controller.files._jobs.values()
    assert job.wait_for_report(20)
    other.close()
    assert wait_until(lambda: not is_open(path), 20)


def test_a_project_of_a_movie_that_was_removed_meanwhile_is_let_go(
    path, gate, make_bench
):
    other, told = resuming(make_bench(), path), []
    other.informed.connect(told.append)
    layer = other.viewer.layers["squares"]
    other.viewer.layers.remove(layer)
    gate.set()
    assert wait_until(lambda: not other.controller.files.is_busy, 20)
    assert told == ["'squares' was removed before its project opened."]
    assert not is_open(path)
    other.choose_movie(other.viewer.add_layer(layer))
    other.resume(path)
    other.wait()
    assert [one.name for one in other.objects.listed] == ["first"]


@pytest.fixture
def with_run(fresh, tmp_path):
    """A project of which an object has labels."""
    begin(fresh).new_object("first")
    fresh.add_points((0, 15, 12))
    fresh.wait()
    fresh.propagate()
    fresh.wait()
    fresh.close()
    return projects(tmp_path)[0]


def test_a_run_that_began_while_a_project_was_opened_is_not_taken_into_it(
    with_run, gate, sam, make_bench
):
    other = begin(make_bench())
    other.new_object("own")
    other.add_points((0, 45, 45))
    other.wait()
    own = other.controller.state.project.path
    other.resume(with_run)
    sam.gate = threading.Semaphore(0)
    other.configure(replace(other.controller.state.options, precision="float32"))
    other.propagate()
    assert wait_until(lambda: other.controller.writer.run is not None, 20)
    gate.set()
    assert wait_until(lambda: not other.controller.files.is_busy, 20)
    assert not other.controller.is_busy
    sam.gate.release(100)
    other.wait()
    assert [step.kind for step in other.history.done].count("run") == 1
    assert [one.name for one in other.objects.listed] == ["first"]
    other.close()
    assert "New object" in titles(own)


def test_labels_are_shown_on_the_plane_that_was_chosen_meanwhile(
    fresh, make_bench, tmp_path, monkeypatch
):
    movie, _ = squares(6)
    planes = np.stack([movie[:3], movie[3:], movie[1:4]])

    def start(bench):
        bench.choose_movie(bench.viewer.add_image(planes, name="four"), 0)
        bench.choose_plane(1, 0)
        bench.wait()
        return bench

    start(fresh).new_object()
    fresh.add_points((0, 15, 12))
    fresh.wait()
    fresh.propagate()
    fresh.wait()
    fresh.close()
    (path,) = projects(tmp_path)
    other = start(make_bench())
    other.resume(path)
    other.choose_plane(1, 2)
    other.wait()
    assert other.controller.state.target.view.is_same_as(other.movie)


def test_a_project_is_not_resumed_while_labels_are_changed(
    with_run, gate, make_bench, monkeypatch
):
    other, told = begin(make_bench()), []
    other.new_object("own")
    other.add_points((0, 45, 45))
    other.wait()
    other.propagate()
    other.wait()
    other.informed.connect(told.append)
    other.resume(with_run)
    assert wait_until(lambda: is_open(with_run), 20)
    monkeypatch.setattr(other.controller._scans, "is_relabelling", lambda _: True)
    gate.set()
    assert wait_until(lambda: not other.controller.files.is_busy, 20)
    assert told == ["Labels are being changed just now: wait a moment."]
    assert not is_open(with_run)
    other.resume(with_run)
    assert not other.controller.files.is_busy
    assert [one.name for one in other.objects.listed] == ["own"]


def test_a_project_that_arrives_during_undo_waits_for_its_end(
    path, make_bench, monkeypatch
):
    monkeypatch.setattr(controller, "BREATH_S", -1)
    other, resumed = begin(make_bench()), []
    other.new_object("own")
    other.wait()
    other.controller.resumed.connect(resumed.append)
    other.resume(path)
    (job,) = other.controller.files._jobs.values()
    assert job.wait_for_report(20)
    other.undo()
    assert resumed == []
    assert not other.objects.listed
    other.wait()
    assert [one.name for one in other.objects.listed] == ["first"]


def test_what_is_resumed_while_the_movie_is_identified_is_waited_for(
    path, gate, make_bench
):
    other = begin(make_bench())
    other.resume(path)
    wait_until(lambda: other.controller.state.identity is not None, 20)
    # What has found out the identity ends.
    wait_until(lambda: False, 0.2)
    assert not other.is_idle
    gate.set()
    other.wait()
    assert [one.name for one in other.objects.listed] == ["first"]
