"""What tests of the napari side share: no trace in the user's settings, a display."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from made_up import bench_with, view_of
from placements import AXES, KINDS, SHAPES, image_of, numbered

if TYPE_CHECKING:
    from pathlib import Path

# napari reads this once, when it is imported: an empty path means no file at all.
os.environ["NAPARI_CONFIG"] = ""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out whole modules of `gui` tests that would be deselected anyway.

    So they import Qt at their top like any other module, and a plain run never does.
    """
    is_run = "not gui" not in config.option.markexpr
    if is_run or collection_path.suffix != ".py":
        return None
    lines = collection_path.read_text(encoding="utf-8").splitlines()
    marks = [line for line in lines if line.startswith("pytestmark")]
    return any("pytest.mark.gui" in mark for mark in marks) or None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail where Qt would end the whole process for want of a display."""
    if item.get_closest_marker("gui") is None or sys.platform != "linux":
        return
    if not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        pytest.fail("there is no display; run `make test-gui`", pytrace=False)


@pytest.fixture(autouse=True)
def _no_preferences(monkeypatch):
    """What one test has set is not what the next one starts with."""
    settings = sys.modules.get("napari.settings")
    if settings is not None:
        # napari 0.9 keeps them in the process where it may write no file.
        monkeypatch.setattr(settings, "_PLUGIN_SETTINGS", {}, raising=False)


@pytest.fixture(autouse=True)
def _no_projects(monkeypatch, tmp_path):
    """No test is offered the projects of another one, whose movie is the same."""
    monkeypatch.setenv("NAPARI_SAM_DECODER_PROJECTS", str(tmp_path / "projects"))


@pytest.fixture(autouse=True)
def _mouse_in_the_corner(request):
    """A pointer that happens to rest over a hypothesis would show its mask."""
    if request.node.get_closest_marker("gui") is not None:
        from qtpy.QtGui import QCursor, QGuiApplication

        request.getfixturevalue("qapp")
        QCursor.setPos(QGuiApplication.primaryScreen().geometry().bottomRight())


@pytest.fixture
def view():
    """A black movie."""
    return view_of()


@pytest.fixture
def viewer(view):
    """A viewer without a window that shows the black movie."""
    from napari.components import ViewerModel

    viewer = ViewerModel()
    viewer.add_layer(view.layer)
    return viewer


@pytest.fixture
def bench(qapp, monkeypatch, tiny_sam):
    """A workbench without a window, whose network takes milliseconds."""
    bench = bench_with(tiny_sam, monkeypatch)
    yield bench
    bench.close()


@pytest.fixture
def sam(monkeypatch, tmp_path):
    """Stands in for every network; its weights are nobody's business here."""
    # They import Qt, which a plain run may not have.
    from stage import StageSam

    from napari_sam_decoder.widgets import model_cache

    stage = StageSam()
    monkeypatch.setenv("NAPARI_SAM_DECODER_CACHE", str(tmp_path))
    monkeypatch.setattr(model_cache.ModelCache, "_get", lambda *_: stage)
    return stage


@pytest.fixture
def fresh(qapp, monkeypatch, sam):
    """A workbench without a window and without a movie, whose network is staged."""
    bench = bench_with(sam, monkeypatch)
    yield bench
    bench.close()


@pytest.fixture
def make_bench(qapp, monkeypatch, sam):
    """Make further workbenches as `fresh` is one."""
    made = []

    def make():
        made.append(bench_with(sam, monkeypatch))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(params=AXES, ids=lambda case: f"{case[0]}d-{case[1]}")
def case(request):
    """Number of axes, and the one to follow."""
    return request.param


@pytest.fixture
def image(kind, case):
    """An image layer whose pixels hold the number of their frame."""
    ndim, axis = case
    return image_of(numbered(SHAPES[ndim], axis), kind)
