from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
import torch

import decoder_ablation
from decoder_parts import sampling, trials
from decoder_parts.ablation_report import as_json, as_markdown, last_loss, over_seeds
from decoder_parts.compared_heads import EncodedPicture, WholeMaskHead
from decoder_parts.decoder_files import load_document, load_unet, save_network
from decoder_parts.document_decoder import (
    DocumentConfig,
)
from decoder_parts.prompt_sampling import SamplingOptions
from decoder_parts.summary import MEASURES, STAGES
from decoder_parts.unet_decoder import UnetConfig, UnetDecoder
from decoder_parts.whole_mask_task import WholeMaskTask
from napari_sam_decoder.model.tiny_vit import TinyViT, TinyViTConfig
from napari_sam_decoder.model.values import ModelPrompt
from napari_sam_decoder.training.examples import write_example
from napari_sam_decoder.weights.checkpoints import assemble_sam
from shipped_head.sam_examples import SamExample

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam

TINY = replace(DocumentConfig(), depth=1, widths=(4, 4, 4, 4), early_channels=8)
TINY_UNET = UnetConfig((4, 4, 4, 4, 4), (4, 4), early_channels=8)
CONFIGURATIONS = {
    "base": TINY,
    "no IoU head": replace(TINY, iou_head=False),
    "U-Net": TINY_UNET,
}


@pytest.fixture(scope="module")
def sam() -> Sam:
    """A random network with early features: 256 px input, 64 px masks."""
    config = TinyViTConfig(
        widths=(8, 16, 24, 32),
        depths=(1, 1, 1, 1),
        heads=(2, 2, 2),
        windows=(4, 4, 4),
        image_size=256,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return assemble_sam(TinyViT(config), identity="tiny")


@pytest.fixture
def folders(tmp_path: Path, sam: Sam, truth: np.ndarray, pixels: np.ndarray) -> Path:
    """A folder of examples, and one with a sequence."""
    (tmp_path / "examples").mkdir()
    picture = np.repeat(pixels[0][..., None], 3, axis=-1)
    mask = (truth[0] == 1).repeat(4, axis=0).repeat(4, axis=1)
    example = SamExample(
        features=sam.encode(picture).features.astype(np.float16),
        picture=picture,
        shown=np.array(mask.shape),
        truth=np.packbits(mask, axis=-1)[None],
        logits=np.zeros((0, 64, 64), np.float16),
        objects=np.zeros(0, int),
        tokens=np.zeros((0, 5, 256), np.float16),
        ious=np.zeros((0, 3), np.float32),
    )
    write_example(example, tmp_path / "examples" / "one.npz")
    (tmp_path / "squares").mkdir()
    for name, stack in (("image", pixels), ("masks", truth)):
        path = tmp_path / "squares" / f"{name}.tif"
        tifffile.imwrite(path, stack, photometric="minisblack")
    return tmp_path


@pytest.fixture
def run(folders: Path, sam: Sam, monkeypatch: pytest.MonkeyPatch):
    """Run the benchmark on tiny networks."""
    monkeypatch.setattr(trials, "CONFIGURATIONS", CONFIGURATIONS)
    monkeypatch.setattr(decoder_ablation, "CONFIGURATIONS", CONFIGURATIONS)
    monkeypatch.setattr(decoder_ablation, "load_sam", lambda: sam)
    monkeypatch.setattr(
        decoder_ablation,
        "WholeMaskTask",
        lambda examples, sam: WholeMaskTask(
            examples, sam, SamplingOptions(1, 1, near=6, far=3)
        ),
    )

    def ablate(*options: str) -> dict:
        out = folders / "out"
        base = ["decoder_ablation.py", str(folders / "examples"), str(out)]
        monkeypatch.setattr(sys, "argv", [*base, "--steps", "2", *options])
        decoder_ablation.main()
        return json.loads((out / "ablation.json").read_text())

    return ablate


def test_all_configurations_are_trained_and_measured(run, folders: Path) -> None:
    data = ["--data", str(folders / "squares"), "--frames", "1", "--objects", "1"]
    found = run(*data)
    assert list(found["configurations"]) == [
        "base",
        "base, bfloat16",
        "base, float16 weights",
        "no IoU head",
        "U-Net",
    ]
    for row in found["configurations"].values():
        assert 0 <= row["last_iou"]["mean"] <= 100
        assert row["parameters"]["spread"] == 0
    assert found["configurations"]["base"]["off"]["mean"] is not None
    assert found["configurations"]["U-Net"]["off"]["mean"] is None
    out = folders / "out"
    text = (out / "ablation.md").read_text()
    assert "| no IoU head |" in text
    assert str(out / "U-Net" / "seed1" / "curve.csv") in text
    drawn = load_document(out / "base" / "seed0" / "drawn.safetensors")
    assert drawn.config == TINY
    assert load_unet(out / "U-Net" / "seed1" / "unet.safetensors").config == TINY_UNET


def test_what_is_finished_is_not_done_again(
    run, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ["--data", str(folders / "squares"), "--frames", "1", "--objects", "1"]
    first = run("--only", "base", *data)
    monkeypatch.setattr(sampling, "score_clicks", None)
    monkeypatch.setattr(WholeMaskTask, "loss", None)
    assert run("--only", "base", *data) == first


def test_what_was_interrupted_goes_on(
    run, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss, calls = WholeMaskTask.loss, []

    def stopped(self, *args):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return loss(self, *args)

    monkeypatch.setattr(WholeMaskTask, "loss", stopped)
    with pytest.raises(KeyboardInterrupt):
        run("--only", "U-Net")
    assert set(run("--only", "U-Net")["configurations"]) == {"U-Net"}
    assert len(calls) == 6  # Both steps of the second seed again.


def test_other_examples_or_steps_need_another_folder(run, folders: Path) -> None:
    run("--only", "U-Net")
    example = folders / "examples" / "one.npz"
    (folders / "examples" / "two.npz").write_bytes(example.read_bytes())
    with pytest.raises(SystemExit, match="another folder"):
        run("--only", "U-Net")


def test_seeds_differ_in_weights_and_configurations_share_them(sam: Sam) -> None:
    one, same, other = (trials.build(TINY, sam, seed) for seed in (0, 0, 1))
    name = "drawing.to_128.weight"
    assert torch.equal(one.state_dict()[name], same.state_dict()[name])
    assert not torch.equal(one.state_dict()[name], other.state_dict()[name])
    name = "reader.layers.0.self_attn.q_proj.weight"
    assert torch.equal(one.state_dict()[name], other.state_dict()[name])


@pytest.mark.parametrize("config", [TINY, TINY_UNET])
def test_a_head_answers_with_masks_of_the_frame(sam: Sam, config) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    view = EncodedPicture(picture, sam.encode(picture))
    head = WholeMaskHead(sam, trials.build(config, sam, 0))
    prompt = ModelPrompt(np.array([[90, 60]], np.float32), np.array([1]))
    offers = head.decode(view, prompt, None)
    count = 3 if config is TINY else 1
    assert offers.logits.shape == (count, 256, 256)
    assert (offers.logits[:, 192:] < 0).all()
    assert np.isnan(offers.ratings).all() == (config is TINY_UNET)
    again = head.decode(view, prompt, offers.logits[0])
    assert again.logits.shape == (1, 256, 256)
    left = np.broadcast_to(99.5 - np.arange(256), (256, 256)).astype(np.float32)
    found = head.mask(view, prompt, left)
    assert found.shape == (48, 64)
    assert (found == (np.arange(64) < 25)).all()


def test_a_unet_is_read_as_it_was_written(tmp_path: Path) -> None:
    network = UnetDecoder(TINY_UNET).to(memory_format=torch.channels_last)
    save_network(network, tmp_path / "unet.safetensors")
    found = load_unet(tmp_path / "unet.safetensors").state_dict()
    for name, weights in network.state_dict().items():
        assert torch.equal(found[name], weights)


def rows() -> dict[str, list[dict[str, float]]]:
    measures = [f"{stage}_{m}" for stage in STAGES for m in MEASURES]
    base = dict.fromkeys(measures, 50.0)
    rest = {"right": 60.0, "ms": 512.4, "parameters": 5_023_558}
    return {
        "base": [
            base | rest | {"off": 10.0, "picked_iou": 70.0},
            base | rest | {"off": 12.0, "picked_iou": 73.0},
        ],
        "U-Net": [base | rest | {"off": float("nan")}],
    }


def test_tables_show_mean_and_spread() -> None:
    text = as_markdown(over_seeds(rows()))
    assert "| base | 71.5 ± 1.5 | 50.0 ± 0.0 |" in text
    assert "| base | 60 ± 0 | 11.0 ± 1.0 | 512 ± 0 | 5.02 M |" in text
    assert "| U-Net | 60 ± 0 | - |" in text
    assert text.count("| base |") == 4


def test_json_has_no_numbers_that_are_none() -> None:
    content = json.loads(as_json(over_seeds(rows()), {"steps": 3}))
    assert content["steps"] == 3
    assert content["configurations"]["U-Net"]["off"] == {"mean": None, "spread": None}
    expected = {"mean": 71.5, "spread": 1.5}
    assert content["configurations"]["base"]["picked_iou"] == expected


def test_the_loss_at_the_end_is_a_mean(tmp_path: Path) -> None:
    lines = [f"{step},{float(step >= 50)},1.0" for step in range(100)]
    path = tmp_path / "curve.csv"
    path.write_text("\n".join(["step,loss,seconds", *lines]) + "\n")
    assert last_loss(path) == 1
