"""The peer is the network as published: it gives what the reference gave."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from safetensors.numpy import load_file
from speed_parts.eager_peer import EagerPeer
from speed_parts.onnx_peer import OnnxPeer, export, missing_packages
from speed_parts.scene import IMAGE_SIZE, Scene

from napari_sam_decoder.frames import FrameGeometry
from napari_sam_decoder.model.prompt_encoder import tokenise
from napari_sam_decoder.model.transforms import prepare_frame
from napari_sam_decoder.model.values import ModelPrompt

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = json.loads((GOLDEN / "mobile_sam.json").read_text())
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def eager():
    return EagerPeer()


def relative_error(found, expected):
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def tokens_of(case):
    geometry = FrameGeometry.fit(tuple(case["shape"][:2]), IMAGE_SIZE)
    points, corners = (
        geometry.to_model(np.reshape(case[key] or [], (-1, 2))[:, ::-1])
        for key in ("points_xy", "box_xyxy")
    )
    labels = np.array(case["point_labels"] or [], dtype=int)
    box = corners.ravel() if len(corners) else None
    tokens = tokenise(ModelPrompt(points, labels, box))
    return [torch.from_numpy(part)[None] for part in (tokens.positions, tokens.kinds)]


@pytest.mark.slow
@pytest.mark.parametrize("image", ["coins", "coffee"])
@torch.inference_mode()
def test_peer_is_the_network_as_published(image, eager):
    golden = load_file(GOLDEN / "mobile_sam_fp16.safetensors")
    picture = getattr(skimage.data, image)()
    rgb = picture if picture.ndim == 3 else np.stack([picture] * 3, axis=-1)
    embedding = eager.encoder(prepare_frame(rgb, IMAGE_SIZE))
    sampled = embedding[0, ::16, ::8, ::8].numpy()
    assert relative_error(sampled, golden[f"embedding.{image}"]) < TOLERANCE
    for case in CASES:
        if case["image"] != image:
            continue
        number = case["case"]
        mask = golden.get(f"{number}.mask_input")
        masks = None if mask is None else torch.from_numpy(mask).float()[None, None]
        logits, ratings = eager.decoder(embedding, *tokens_of(case), masks)
        expected = golden[f"{number}.low_res_logits"]
        assert relative_error(logits[0, :, ::8, ::8].numpy(), expected) < TOLERANCE
        rated = golden[f"{number}.iou_predictions"]
        assert relative_error(ratings[0].numpy(), rated) < TOLERANCE


def test_prompts_do_not_depend_on_each_other(eager):
    scene = Scene.of((480, 854))
    together, _ = eager.decoding(scene, 3)()
    first, _ = eager.decoding(scene, 1)()
    assert together.shape == (3, 4, 256, 256)
    assert relative_error(together[:1].numpy(), first.numpy()) < TOLERANCE


@pytest.mark.slow
@pytest.mark.skipif(bool(missing_packages()), reason="no onnxruntime")
def test_graphs_give_the_same(eager, tmp_path):
    export(eager, tmp_path)
    scene, peer = Scene.of((480, 854)), OnnxPeer(tmp_path)
    (embedding,) = peer.encoding(scene)()
    assert relative_error(embedding, eager.encoding(scene)().numpy()) < TOLERANCE
    for count in (1, 3):
        for found, expected in zip(
            peer.decoding(scene, count)(), eager.decoding(scene, count)(), strict=True
        ):
            assert relative_error(found, expected.numpy()) < TOLERANCE
