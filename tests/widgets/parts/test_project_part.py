from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from made_up import show_movie
from qtpy.QtWidgets import QFileDialog

from napari_sam_decoder.errors import ProjectError
from napari_sam_decoder.project import MovieIdentity, ProjectHeader, ProjectSummary
from napari_sam_decoder.widgets.parts import ProjectForm, ProjectPart
from napari_sam_decoder.widgets.parts.project_part import ask_where_to_save

pytestmark = pytest.mark.gui


@pytest.fixture
def part(shown):
    return shown(ProjectPart())


def summary(name, *, is_open=False, size=2**20):
    identity = MovieIdentity(None, "movie", (4, 5, 6), "uint8", "0" * 64)
    saved_at = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
    header = ProjectHeader(identity, "none")
    return ProjectSummary(Path(name), header, saved_at, is_open, size)


def test_what_can_be_undone_is_named(part, bench, heard):
    show_movie(bench)
    part.show_state(bench)
    assert not part.undo.isEnabled()
    assert not part.redo.isEnabled()
    bench.new_object()
    part.show_state(bench)
    assert part.undo.toolTip() == "Take back: New object (Ctrl+Z)"
    asked = heard(part.undo_requested)
    part.undo.click()
    assert asked == [None]
    bench.undo()
    part.show_state(bench)
    assert not part.undo.isEnabled()
    assert part.redo.toolTip() == "Do again: New object (Ctrl+Shift+Z)"


def test_it_says_whether_all_is_saved(part, bench, monkeypatch):
    show_movie(bench)
    part.show_state(bench)
    assert part.status.text() == "Saves by itself"
    bench.new_object()
    bench.wait()
    project = bench.controller.state.project
    project.flush()
    part.show_state(bench)
    assert part.status.text().startswith("Saved, ")
    assert part.status.toolTip() == str(project.path)
    assert not part.retry.isVisible()
    monkeypatch.setattr(type(project), "failure", ProjectError("no room"))
    part.show_state(bench)
    assert part.status.text() == "NOT saved"
    assert part.status.toolTip() == "no room"
    assert part.retry.isVisible()


def test_where_no_file_can_be_made_it_can_be_tried_again(part, bench, heard):
    show_movie(bench)
    bench.controller.state.is_keeping_off = True
    part.show_state(bench)
    assert part.status.text() == "NOT saved"
    asked = heard(part.retry_requested)
    assert part.retry.isVisible()
    part.retry.click()
    assert asked == [None]


def test_the_last_project_of_the_movie_is_offered(part, bench, heard):
    show_movie(bench)
    part.show_state(bench)
    assert not part.resume.isVisible()
    bench.controller.state.offers = (summary("one"),)
    part.show_state(bench)
    assert "You worked on this movie before, last on 04 Mar 2026" in part.offer.text()
    asked = heard(part.resume_requested)
    part.resume.click()
    assert asked == [None]
    bench.controller.state.offers = ()
    part.show_state(bench)
    assert not part.resume.isVisible()
    assert not part.offer.isVisible()


def test_of_several_projects_one_is_chosen(part, bench, heard):
    show_movie(bench)
    bench.controller.state.offers = (summary("one"), summary("two", size=3 * 2**20))
    part.show_state(bench)
    asked = heard(part.resume_requested)
    _, two = part.resume.menu().actions()
    assert two.text().endswith(", 3.0 MB")
    two.trigger()
    assert asked == [Path("two")]


def test_a_project_in_another_window_is_told(part, bench):
    show_movie(bench)
    bench.controller.state.offers = (summary("one", is_open=True),)
    part.show_state(bench)
    assert part.offer.text().startswith("This movie is open in another window")


def test_the_form_shows_the_file_and_the_limit(shown, bench, heard):
    form = shown(ProjectForm())
    show_movie(bench)
    form.show_state(bench)
    assert form.path.text() == "No file yet."
    assert not form.save_as.isEnabled()
    bench.new_object()
    bench.wait()
    limits = heard(form.limit_chosen)
    form.show_state(bench)
    assert not limits, "nobody has chosen anything"
    assert form.limit.value == 256
    assert form.used.text() == "1 action takes 0.0 MB"
    path = bench.controller.state.project.path
    assert form.path.text().replace("\u200b", "") == str(path)
    form.limit.value = 5
    assert limits == [5 * 2**20]


def test_a_copy_gets_the_ending_of_projects(monkeypatch):
    answers = iter(["", "/x/copy", "/x/other.samproject"])
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_: (next(answers), "Projects")
    )
    assert ask_where_to_save(None) is None
    assert ask_where_to_save(None) == Path("/x/copy.samproject")
    assert ask_where_to_save(None) == Path("/x/other.samproject")
