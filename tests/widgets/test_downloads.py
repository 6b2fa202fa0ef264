"""Models that the window downloads and takes into use."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from napari_sam_decoder.errors import CheckpointError, DownloadError
from napari_sam_decoder.widgets.downloads import ModelDownload
from napari_sam_decoder.widgets.job_queue import wait_until
from napari_sam_decoder.widgets.movie_state import ModelOptions

pytestmark = pytest.mark.gui

PATIENCE = 60


def toy(bench):
    [row] = [row for row in bench.models if row.name == "toy"]
    return row


def names_in(folder):
    return sorted(path.name for path in folder.glob("**/*"))


@pytest.fixture
def fresh(publisher, fresh):
    """One to which the models of the publisher are known."""
    return fresh


def test_a_model_is_downloaded_with_progress_and_used(fresh, publisher):
    shown = []

    def note():
        shown.extend(one.progress for one in fresh.downloads.values())

    fresh.controller.downloads.changed.connect(note)
    assert not toy(fresh).is_here
    fresh.download_model("toy")
    assert fresh.downloads["toy"].is_running
    fresh.wait()
    assert shown[0] == "waiting…"
    assert fresh.downloads == {}
    assert toy(fresh).is_here
    publisher.answer = "missing"
    fresh.download_model("toy")
    assert fresh.downloads == {}, "it is here"
    fresh.use_model("toy")
    assert fresh.controller.state.options == ModelOptions("toy", cache=None)


@pytest.mark.parametrize("answer", ["wrong", "broken", "missing"])
def test_what_fails_is_told_and_can_be_repeated(
    fresh, publisher, models_folder, answer
):
    publisher.answer = answer
    fresh.download_model("toy")
    with pytest.raises(DownloadError, match="try again"):
        fresh.wait()
    failed = fresh.downloads["toy"]
    assert not failed.is_running
    assert isinstance(failed.error, DownloadError)
    assert names_in(models_folder) == []
    assert fresh.is_idle
    publisher.answer = "whole"
    fresh.download_model("toy")
    fresh.wait()
    assert fresh.downloads == {}
    assert names_in(models_folder) == ["toy.safetensors"]


def test_a_download_is_cancelled_and_begun_again(fresh, publisher, models_folder):
    publisher.answer = "endless"
    fresh.download_model("toy")
    assert wait_until(lambda: fresh.downloads["toy"].done > 0, PATIENCE)
    assert " MB" in fresh.downloads["toy"].progress
    assert not fresh.is_idle
    fresh.cancel_download("toy")
    assert fresh.downloads == {}
    assert fresh.is_idle
    assert wait_until(lambda: names_in(models_folder) == [], PATIENCE)
    publisher.answer = "whole"
    fresh.download_model("toy")
    fresh.wait()
    assert names_in(models_folder) == ["toy.safetensors"]
    fresh.cancel_download("toy")


def test_closing_ends_downloads(fresh, publisher, models_folder):
    publisher.answer = "endless"
    fresh.download_model("toy")
    assert wait_until(lambda: fresh.downloads["toy"].done > 0, PATIENCE)
    fresh.close()
    assert wait_until(lambda: names_in(models_folder) == [], PATIENCE)


def test_asking_twice_downloads_once(fresh, publisher):
    publisher.answer = "endless"
    fresh.download_model("toy")
    under_way = fresh.downloads["toy"]
    fresh.download_model("toy")
    assert fresh.downloads["toy"] is under_way
    fresh.cancel_download("toy")


def test_what_cannot_be_downloaded_or_used_is_refused_at_once(fresh):
    with pytest.raises(CheckpointError, match="no_such_model"):
        fresh.download_model("no_such_model")
    with pytest.raises(DownloadError, match="no stable address"):
        fresh.download_model("medsam")
    with pytest.raises(CheckpointError, match="has not been downloaded"):
        fresh.use_model("toy")
    with pytest.raises(CheckpointError, match="There is no model or file"):
        fresh.use_model(Path("no_such_file.pt"))
    assert fresh.controller.state.options.model == "mobile_sam"


def test_a_decoder_for_another_model_gives_way(fresh, publisher):
    told = []
    fresh.informed.connect(told.append)
    fresh.download_model("toy")
    fresh.wait()
    fresh.configure(ModelOptions(decoder="cells", cache=None))
    fresh.use_model("mobile_sam")
    assert fresh.controller.state.options.decoder == "cells", "nothing was chosen"
    fresh.use_model("toy")
    assert fresh.controller.state.options.decoder == "auto"
    assert "'cells' was trained for another model" in told[0]
    fresh.configure(ModelOptions("toy", decoder="sam", cache=None))
    fresh.use_model("mobile_sam")
    assert fresh.controller.state.options.decoder == "sam"
    assert len(told) == 1


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [
        (0, 0, "waiting…"),
        (3_400_000, 0, "3 MB"),
        (3_400_000, 375_042_383, "3 / 375 MB"),
        (375_042_383, 375_042_383, "checking…"),
    ],
)
def test_progress_is_told_in_megabytes(done, total, text):
    assert ModelDownload("toy", done, total).progress == text
