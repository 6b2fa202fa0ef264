from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pooch
import pytest

from napari_sam_decoder.errors import CheckpointError
from napari_sam_decoder.weights.catalogue import (
    MODELS,
    find_row,
    local_path,
    manual_download,
    require_here,
)
from napari_sam_decoder.weights.checkpoints import ARCHITECTURES

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = {"sha256": 64, "xxh128": 32}


@pytest.mark.parametrize("name", MODELS)
def test_rows_are_well_formed(name: str) -> None:
    row = MODELS[name]
    assert row.name == name
    assert row.architecture in ARCHITECTURES
    assert row.description
    assert row.url is None or row.url.startswith("https://")
    if row.hash is not None:
        algorithm, digits = row.hash.split(":")
        assert re.fullmatch(rf"[0-9a-f]{{{DIGITS[algorithm]}}}", digits)


@pytest.mark.parametrize("name", MODELS)
def test_downloadable_means_address_and_hash(name: str) -> None:
    row = MODELS[name]
    assert row.is_downloadable == bool(row.url and row.hash)
    assert (row.note == "bundled") == row.is_bundled


@pytest.mark.parametrize("name", MODELS)
def test_terms_and_size_are_told(name: str) -> None:
    row = MODELS[name]
    if row.licence is None:
        assert row.record is not None
        assert row.terms == f"licence unknown, see {row.record}"
        assert row.record.rpartition("=")[2] in row.url
    else:
        assert row.terms == row.licence
    assert row.size.startswith("about ") == (row.bytes is None)
    assert row.size.endswith(" MB")


def test_which_rows_are_bundled_and_downloadable() -> None:
    assert [row.name for row in MODELS.values() if row.is_bundled] == ["mobile_sam"]
    others = [row.name for row in MODELS.values() if not row.is_downloadable]
    assert others == ["mobile_sam", "medsam"]
    assert "no stable address" in MODELS["medsam"].note


def test_a_model_is_here_once_its_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / project)
    row = MODELS["micro_sam_vit_b_lm"]
    assert (row.is_here, row.note) == (False, "downloadable")
    with pytest.raises(CheckpointError, match=r"not been downloaded.*Models…"):
        require_here(row.name)
    local_path(row).parent.mkdir(parents=True)
    local_path(row).touch()
    assert (row.is_here, row.note) == (True, "here")
    require_here(row.name)


def test_a_file_is_here_if_it_exists(tmp_path: Path) -> None:
    path = tmp_path / "medsam"
    with pytest.raises(CheckpointError, match="There is no model or file"):
        require_here(path)
    path.touch()
    require_here(path)
    require_here(str(path))


def test_hashes_and_addresses_are_unique() -> None:
    for field in ("hash", "url"):
        values = [getattr(row, field) for row in MODELS.values()]
        known = [value for value in values if value is not None]
        assert len(set(known)) == len(known)


def test_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        MODELS["mine"] = MODELS["medsam"]  # type: ignore[index]


def test_bundled_file_is_in_the_package_with_its_size() -> None:
    row = MODELS["mobile_sam"]
    assert local_path(row).stat().st_size == row.bytes


def test_other_files_belong_in_the_user_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / project)
    paths = {name: local_path(row) for name, row in MODELS.items()}
    folder = tmp_path / "napari-sam-decoder" / "models"
    assert paths["sam_vit_b"] == folder / "sam_vit_b.pth"
    assert paths["micro_sam_vit_t_lm"] == folder / "micro_sam_vit_t_lm.pt"
    assert paths["medsam"] == folder / "medsam.pth"
    assert len(set(paths.values())) == len(MODELS)


def test_unknown_name_lists_the_names_and_says_that_a_path_works() -> None:
    with pytest.raises(CheckpointError, match=r"mobile_sam, .*medsam, or give"):
        find_row("sam_vit_x")


@pytest.mark.parametrize("name", ["sam_vit_b", "micro_sam_vit_b_lm", "medsam"])
def test_way_by_hand_names_source_check_and_place(name: str) -> None:
    row = MODELS[name]
    text = manual_download(row)
    assert str(local_path(row)) in text
    assert "--model PATH" in text
    assert all(part in text for part in (row.url, row.hash) if part is not None)
    assert ("Its licence is not known here" in text) == (row.licence is None)
