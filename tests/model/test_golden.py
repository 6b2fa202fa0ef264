"""The bundled weights give what the reference implementation gave with them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import skimage.data
from safetensors.numpy import load_file

from napari_sam_decoder.cache import Quantizer, Storage
from napari_sam_decoder.model.quantised import multiplies_int8
from napari_sam_decoder.model.transforms import input_shape
from napari_sam_decoder.model.values import Embedding, ModelPrompt
from napari_sam_decoder.weights.registry import load_sam

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_sam_decoder.model.sam import Sam

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = json.loads((GOLDEN / "mobile_sam.json").read_text())
IMAGES = ["astronaut_x2", "coins", "cell", "coffee"]
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    return load_file(GOLDEN / "mobile_sam_fp16.safetensors")


@pytest.fixture(scope="module")
def whole(mobile_sam: Sam) -> Iterator[Sam]:
    """The network, which computes all of the padding, as the reference does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mobile_sam.image_encoder, "cut", lambda shown: None)
        yield mobile_sam


@pytest.fixture(scope="module")
def embed(whole: Sam) -> Callable[[str], Embedding]:
    return cache(lambda image: whole.encode(read_image(image)))


def read_image(name: str) -> np.ndarray:
    if name == "astronaut_x2":
        return skimage.data.astronaut().repeat(2, axis=0).repeat(2, axis=1)
    image = getattr(skimage.data, name)()
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


def read_prompt(case: dict[str, Any]) -> ModelPrompt:
    rows, columns = case["shape"][:2]
    fitted_rows, fitted_columns = input_shape((rows, columns), 1024)
    scale = np.array([fitted_columns / columns, fitted_rows / rows])
    box = case["box_xyxy"]
    return ModelPrompt(
        points=np.reshape(case["points_xy"] or [], (-1, 2)) * scale,
        signs=np.array(case["point_labels"] or [], dtype=int),
        box=None if box is None else np.array(box) * np.tile(scale, 2),
    )


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("image", IMAGES)
def test_embedding(
    image: str, golden: dict[str, np.ndarray], embed: Callable[[str], Embedding]
) -> None:
    features = embed(image).features
    expected = golden[f"embedding.{image}"]
    assert features.shape == (256, 64, 64)
    assert features.dtype == np.float32
    assert relative_error(features[::16, ::8, ::8], expected) < TOLERANCE


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"case{case['case']}")
def test_masks(
    case: dict[str, Any],
    mobile_sam: Sam,
    golden: dict[str, np.ndarray],
    embed: Callable[[str], Embedding],
) -> None:
    number, embedding = case["case"], embed(case["image"])
    previous = golden.get(f"{number}.mask_input")
    assert (previous is not None) == case["mask_input"]

    answer = mobile_sam.decode(embedding, [read_prompt(case)], [previous])
    logits, quality = answer.low_res_logits[0], answer.iou_predictions[0]
    rows, columns = (
        -(-side // 32) for side in input_shape(embedding.frame_shape, 1024)
    )
    expected = golden[f"{number}.low_res_logits"][:, :rows, :columns]
    found = logits[:, ::8, ::8][:, :rows, :columns]
    assert relative_error(found, expected) < TOLERANCE
    assert relative_error(quality, golden[f"{number}.iou_predictions"]) < TOLERANCE

    masks = mobile_sam.upscale(logits, embedding.frame_shape) > 0
    packed = golden[f"{number}.masks_packed"]
    wanted = np.unpackbits(packed, axis=-1, count=masks.shape[-1]).astype(bool)
    overlap = (masks & wanted).sum((1, 2)) / (masks | wanted).sum((1, 2))
    assert masks.shape == (4, *case["shape"][:2])
    assert overlap.min() >= 0.99
    assert masks.sum((1, 2)) == pytest.approx(case["areas"], rel=1e-3)


def compare(
    sam: Sam, golden: dict[str, np.ndarray], embeddings: dict[str, Embedding]
) -> tuple[np.ndarray, np.ndarray]:
    """IoU with all golden masks, and the quality that the network gave those."""
    overlaps, qualities = [], []
    for case in CASES:
        number, embedding = case["case"], embeddings[case["image"]]
        previous = golden.get(f"{number}.mask_input")
        answer = sam.decode(embedding, [read_prompt(case)], [previous])
        masks = sam.upscale(answer.low_res_logits[0], embedding.frame_shape) > 0
        packed = golden[f"{number}.masks_packed"]
        wanted = np.unpackbits(packed, axis=-1, count=masks.shape[-1]).astype(bool)
        overlaps.append((masks & wanted).sum((1, 2)) / (masks | wanted).sum((1, 2)))
        qualities.append(golden[f"{number}.iou_predictions"].ravel())
    return np.concatenate(overlaps), np.concatenate(qualities)


def stored(embedding: Embedding, storage: Storage) -> Embedding:
    quantizer = Quantizer(embedding.features.shape, storage)
    features = quantizer.dequantize(quantizer.quantize(embedding.features))
    return Embedding(features, embedding.frame_shape)


def test_what_lies_beyond_a_cut_keeps_the_masks(
    mobile_sam: Sam, golden: dict[str, np.ndarray], embed: Callable[[str], Embedding]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(mobile_sam.image_encoder, "cut")
        embeddings = {image: mobile_sam.encode(read_image(image)) for image in IMAGES}
    coffee = embed("coffee").features - embeddings["coffee"].features
    assert np.abs(coffee[:, 56:]).max() > 0.1, "nothing was left out"
    overlap, quality = compare(mobile_sam, golden, embeddings)
    assert np.median(overlap) >= 0.999
    assert overlap[quality >= 0.9].min() >= 0.99


@pytest.mark.parametrize("storage", Storage)
def test_the_cache_keeps_the_masks(
    storage: Storage,
    mobile_sam: Sam,
    golden: dict[str, np.ndarray],
    embed: Callable[[str], Embedding],
) -> None:
    embeddings = {image: stored(embed(image), storage) for image in IMAGES}
    overlap, quality = compare(mobile_sam, golden, embeddings)
    assert np.median(overlap) >= 0.999
    assert overlap[quality >= 0.9].min() >= 0.995


def fresh_and_cached(
    precision: str, golden: dict[str, np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Compare what a precision gives, and what is left of it in the cache."""
    sam = load_sam("mobile_sam", device="cpu", precision=precision)
    embeddings = {image: sam.encode(read_image(image)) for image in IMAGES}
    rounded = {key: stored(value, Storage.INT8) for key, value in embeddings.items()}
    for found in (embeddings, rounded):
        yield compare(sam, golden, found)


@pytest.mark.slow
def test_bfloat16_and_the_cache_together_keep_the_masks(
    golden: dict[str, np.ndarray],
) -> None:
    for overlap, quality in fresh_and_cached("bfloat16", golden):
        assert np.median(overlap) >= 0.995
        assert overlap[quality >= 0.9].min() >= 0.98


@pytest.mark.slow
@pytest.mark.skipif(
    not multiplies_int8(), reason="the processor does not multiply int8"
)
def test_int8_and_the_cache_together_keep_the_masks(
    golden: dict[str, np.ndarray],
) -> None:
    for overlap, quality in fresh_and_cached("int8", golden):
        assert np.median(overlap[quality >= 0.9]) >= 0.99
        assert overlap[quality >= 0.9].min() >= 0.95
