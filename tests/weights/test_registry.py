from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pooch
import pytest
import requests
import torch
from safetensors.torch import load_file
from torch import nn

from napari_sam_decoder.errors import (
    CheckpointError,
    DownloadError,
    MissingExtraError,
    OptionError,
)
from napari_sam_decoder.model.precision import prepare_for_inference
from napari_sam_decoder.model.sam import Sam
from napari_sam_decoder.weights import catalogue, registry
from napari_sam_decoder.weights.checkpoints import build_sam, hash_file
from napari_sam_decoder.weights.registry import MODELS, ModelRow, download, load_sam

if TYPE_CHECKING:
    from collections.abc import Callable

BUNDLED = catalogue.local_path(MODELS["mobile_sam"])


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / project)
    return tmp_path / "napari-sam-decoder" / "models"


@pytest.fixture
def add_row(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModelRow], Path]:
    def add(row: ModelRow) -> Path:
        for module in (registry, catalogue):
            monkeypatch.setattr(module, "MODELS", {**MODELS, row.name: row})
        path = catalogue.local_path(row)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    return add


def toy_row(digest: str) -> ModelRow:
    return ModelRow(
        name="toy",
        architecture="vit_t",
        description="made on the spot",
        licence="MIT",
        url="https://example.org/toy.pth",
        hash=digest,
    )


def assert_same_weights(sam: Sam, other: Sam) -> None:
    state, expected = sam.state_dict(), other.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in state)


def test_bundled_weights_are_upcast(mobile_sam: Sam) -> None:
    assert mobile_sam.dtype == torch.float32
    assert not mobile_sam.training
    halved = load_file(BUNDLED)["mask_decoder.iou_token.weight"]
    assert halved.dtype == torch.float16
    assert torch.equal(mobile_sam.mask_decoder.iou_token.weight, halved.float())


def test_identity_names_architecture_file_and_type(mobile_sam: Sam) -> None:
    assert mobile_sam.identity == f"vit_t sha256:{hash_file(BUNDLED)} float32"
    assert MODELS["mobile_sam"].hash == f"sha256:{hash_file(BUNDLED)}"


def test_path_loads_the_same_as_the_name(mobile_sam: Sam) -> None:
    for path in (BUNDLED, str(BUNDLED)):
        sam = load_sam(path, device="cpu", precision="float32")
        assert_same_weights(sam, mobile_sam)
        assert sam.identity == mobile_sam.identity


def test_published_mobile_sam_file_with_real_norms(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = build_sam("vit_t", identity="source")
    for part in source.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.running_var, 0.5, 2)
            nn.init.normal_(part.running_mean)
            part.num_batches_tracked.fill_(9)
    unused = {
        "image_encoder.norm_head.weight": torch.ones(320),
        "image_encoder.norm_head.bias": torch.ones(320),
        "image_encoder.head.weight": torch.ones(1000, 320),
        "image_encoder.head.bias": torch.ones(1000),
    }
    path = tmp_path / "mobile_sam.pt"
    torch.save(source.state_dict() | unused, path)
    loaded = load_sam(path, device="cpu", precision="float32")
    assert_same_weights(loaded, prepare_for_inference(source, torch.float32))


def test_given_architecture_is_used_and_must_fit() -> None:
    with pytest.raises(CheckpointError, match=r"missing: image_encoder\.blocks\.0"):
        load_sam(BUNDLED, device="cpu", architecture="vit_b")


def test_unknown_name_lists_the_names() -> None:
    with pytest.raises(CheckpointError, match=r"mobile_sam.*path of a weights file"):
        load_sam("no_such_model", device="cpu")


def test_model_that_is_not_here_names_both_ways(cache_folder: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_sam("sam_vit_b", device="cpu")
    text = str(caught.value)
    assert "napari-sam-decoder models download sam_vit_b" in text
    assert str(cache_folder / "sam_vit_b.pth") in text
    assert MODELS["sam_vit_b"].url in text


def test_model_that_cannot_be_downloaded_names_the_way_by_hand() -> None:
    with pytest.raises(CheckpointError) as caught:
        load_sam("medsam", device="cpu")
    assert "models download" not in str(caught.value)
    assert "--model PATH" in str(caught.value)


def test_damaged_file_of_a_named_model_is_refused(cache_folder: Path) -> None:
    cache_folder.mkdir(parents=True)
    (cache_folder / "sam_vit_b.pth").write_bytes(b"half of it")
    with pytest.raises(CheckpointError, match=r"its sha256 is not ec2df.*Delete it"):
        load_sam("sam_vit_b", device="cpu")


@pytest.mark.parametrize("algorithm", ["sha256", "xxh128"])
def test_named_model_in_its_place_is_loaded(
    algorithm: str, add_row: Callable[[ModelRow], Path], mobile_sam: Sam
) -> None:
    if algorithm == "xxh128":
        pytest.importorskip("xxhash")
    path = add_row(toy_row(f"{algorithm}:{hash_file(BUNDLED, algorithm)}"))
    shutil.copy(BUNDLED, path)
    assert load_sam("toy", precision="float32").identity == mobile_sam.identity


def test_named_model_wins_over_a_file_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mobile_sam: Sam
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mobile_sam").write_bytes(b"something else")
    assert load_sam(precision="float32").identity == mobile_sam.identity


@pytest.mark.parametrize("device", ["no_such_device", "cuda:99"])
def test_device_that_is_not_here_is_refused(device: str) -> None:
    with pytest.raises(OptionError, match="choose 'auto' or 'cpu'"):
        load_sam(device=device)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_prefers_cuda_then_mps(
    cuda: bool, mps: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def remember(sam: Sam, device: torch.device) -> Sam:
        asked.append(device.type)
        return sam

    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(Sam, "to", remember)
    load_sam(precision="float32")
    assert asked == [expected]


def test_network_too_large_for_the_device_names_a_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(Sam, "to", fail)
    with pytest.raises(OptionError, match="choose a smaller model"):
        load_sam(device="cpu")


def test_download_fetches_to_its_place_with_its_hash(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        pooch, "retrieve", lambda *args, **options: asked.append((args, options))
    )
    row = MODELS["sam_vit_l"]
    assert download("sam_vit_l", progress=True) == cache_folder / "sam_vit_l.pth"
    [(addressed, options)] = asked
    assert addressed == (row.url, row.hash)
    assert options.pop("downloader").progressbar is True
    assert options == {"fname": "sam_vit_l.pth", "path": cache_folder}


def test_bundled_model_needs_no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(pooch, "retrieve")
    assert download("mobile_sam") == BUNDLED


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (requests.ConnectionError("no route"), "no connection to dl.fbaipublicfiles"),
        (requests.HTTPError("503 Server Error"), "503 Server Error"),
        (ValueError("hash differs"), "its hash is another one"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_failed_download_tells_the_way_by_hand(
    error: Exception, told: str, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(pooch, "retrieve", fail)
    with pytest.raises(DownloadError) as caught:
        download("sam_vit_h")
    row, text = MODELS["sam_vit_h"], str(caught.value)
    place = str(cache_folder / "sam_vit_h.pth")
    assert all(part in text for part in (told, row.url, row.hash, place))
    assert "--model PATH" in text


def test_rows_without_address_are_not_downloaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(pooch, "retrieve")
    with pytest.raises(DownloadError, match="by path only"):
        download("medsam")


def test_unknown_name_is_not_downloaded() -> None:
    with pytest.raises(CheckpointError, match="no_such_model"):
        download("no_such_model")


def test_download_without_xxhash_names_the_pip_line(
    add_row: Callable[[ModelRow], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_row(toy_row(f"xxh128:{'0' * 32}"))
    monkeypatch.setitem(sys.modules, "xxhash", None)
    monkeypatch.delattr(pooch, "retrieve")
    with pytest.raises(MissingExtraError, match=r"\[xxhash\]"):
        download("toy")
