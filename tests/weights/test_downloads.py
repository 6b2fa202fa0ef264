"""Downloads from a publisher on this machine; the real ones are never asked."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from napari_sam_decoder.errors import CheckpointError, DownloadError
from napari_sam_decoder.weights import catalogue, registry
from napari_sam_decoder.weights.catalogue import find_row
from napari_sam_decoder.weights.checkpoints import read_checkpoint
from napari_sam_decoder.weights.registry import download, download_steps
from weights_server import CONTENT, toy_row

if TYPE_CHECKING:
    from pathlib import Path

    from weights_server import Publisher

BAD = {
    "wrong": "its hash is another one",
    "broken": "no connection to 127.0.0.1, or it broke",
    "missing": "404",
}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("**/*"))


@pytest.mark.usefixtures("publisher")
def test_a_file_arrives_in_its_place_whatever_its_licence(models_folder: Path) -> None:
    assert find_row("toy").licence is None
    assert not find_row("toy").is_here
    path = download("toy")
    assert path == models_folder / "toy.safetensors"
    assert path.read_bytes() == CONTENT
    assert read_checkpoint(path).keys() == {"made_up"}
    assert find_row("toy").is_here
    assert find_row("toy").note == "here"


def test_xxh128_is_checked(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    xxhash = pytest.importorskip("xxhash")
    digest = xxhash.xxh128(CONTENT).hexdigest()
    row = replace(toy_row(publisher), hash=f"xxh128:{digest}")
    for module in (registry, catalogue):
        monkeypatch.setattr(module, "MODELS", {"toy": row})
    publisher.answer = "wrong"
    with pytest.raises(DownloadError, match=BAD["wrong"]):
        download("toy")
    publisher.answer = "whole"
    assert download("toy").read_bytes() == CONTENT


@pytest.mark.parametrize("answer", BAD)
def test_what_fails_leaves_nothing_tells_the_remedy_and_can_be_repeated(
    answer: str, publisher: Publisher, models_folder: Path
) -> None:
    publisher.answer = answer
    with pytest.raises(DownloadError, match=BAD[answer]) as caught:
        download("toy")
    text = str(caught.value)
    remedy = publisher.url, str(models_folder / "toy.safetensors"), "try again"
    assert all(part in text for part in remedy)
    assert names_in(models_folder) == []
    publisher.answer = "whole"
    list(download_steps("toy"))
    assert names_in(models_folder) == ["toy.safetensors"]


@pytest.mark.parametrize("answer", BAD)
def test_steps_fail_as_the_whole(
    answer: str, publisher: Publisher, models_folder: Path
) -> None:
    publisher.answer = answer
    with pytest.raises(DownloadError, match=BAD[answer]):
        list(download_steps("toy"))
    assert names_in(models_folder) == []


def test_steps_tell_how_far_it_is_and_closing_leaves_nothing(
    publisher: Publisher, models_folder: Path
) -> None:
    publisher.answer = "endless"
    with closing(download_steps("toy")) as steps:
        seen = [next(step for step in steps if step[0]) for _ in range(3)]
        assert len(names_in(models_folder)) == 1, "the temporary file"
    assert all(0 < done < total for done, total in seen)
    assert sorted(seen) == seen
    assert names_in(models_folder) == []
    publisher.answer = "whole"
    assert download("toy").read_bytes() == CONTENT


def test_what_is_here_is_not_asked_for_again(publisher: Publisher) -> None:
    download("toy")
    publisher.answer = "missing"
    assert download("toy").read_bytes() == CONTENT
    list(download_steps("toy"))


def test_a_damaged_file_is_replaced(publisher: Publisher, models_folder: Path) -> None:
    del publisher
    models_folder.mkdir(parents=True)
    (models_folder / "toy.safetensors").write_bytes(CONTENT[:10])
    assert download("toy").read_bytes() == CONTENT


def test_a_folder_that_cannot_be_made_is_told(
    publisher: Publisher, models_folder: Path
) -> None:
    del publisher
    models_folder.parent.mkdir(parents=True)
    models_folder.touch()
    with pytest.raises(DownloadError, match="could not be downloaded"):
        download("toy")


def test_what_helps_without_permission_is_told(
    publisher: Publisher, models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del publisher

    def refused(*_: object, **__: object) -> None:
        raise PermissionError("Will not be able to download data files.")

    monkeypatch.setattr("pooch.retrieve", refused)
    with pytest.raises(DownloadError) as raised:
        download("toy")
    said = str(raised.value)
    assert f"{models_folder} cannot be written. Nothing of it was kept; check" in said


def test_a_bundled_model_has_no_steps() -> None:
    assert list(download_steps("mobile_sam")) == []


def test_unknown_names_and_names_without_address_are_refused_at_once() -> None:
    with pytest.raises(CheckpointError, match="no_such_model"):
        next(download_steps("no_such_model"))
    with pytest.raises(DownloadError, match="medsam cannot be downloaded"):
        next(download_steps("medsam"))
