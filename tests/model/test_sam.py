from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from napari_sam_decoder.errors import DecodingError, PromptError
from napari_sam_decoder.model.tiny_vit import TinyViT
from napari_sam_decoder.model.transforms import input_shape, prepare_frame
from napari_sam_decoder.model.values import (
    BACKGROUND_LOGIT,
    Embedding,
    MaskCandidates,
    ModelPrompt,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sam_decoder.model.sam import Sam


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (60, 100, 3), np.uint8)


@pytest.fixture(scope="module")
def embedding(tiny_sam: Sam, frame: np.ndarray) -> Embedding:
    return tiny_sam.encode(frame)


def at(*points: tuple[float, float], box: Sequence[float] | None = None) -> ModelPrompt:
    return ModelPrompt(
        points=np.reshape(points, (-1, 2)).astype(np.float32),
        signs=np.ones(len(points), int),
        box=None if box is None else np.array(box, np.float32),
    )


RAGGED = [
    at((30, 40)),
    at((30, 40), (90, 80), (200, 20)),
    at(box=(10, 10, 90, 90)),
    at((200, 100)),
    at((50, 60), box=(10, 20, 90, 130)),
    at((10, 12), (100, 90)),
]


def assert_same(found: MaskCandidates, expected: list[MaskCandidates]) -> None:
    logits = np.concatenate([item.low_res_logits for item in expected])
    quality = np.concatenate([item.iou_predictions for item in expected])
    np.testing.assert_allclose(found.low_res_logits, logits, atol=2e-4, rtol=1e-4)
    np.testing.assert_allclose(found.iou_predictions, quality, atol=2e-4, rtol=1e-4)


def test_properties(tiny_sam: Sam) -> None:
    assert tiny_sam.image_size == 256
    assert tiny_sam.mask_size == 64
    assert tiny_sam.embedding_shape == (256, 16, 16)
    assert tiny_sam.device == torch.device("cpu")
    assert tiny_sam.dtype == torch.float32
    assert tiny_sam.identity == "tiny seed 0 float32"
    assert not tiny_sam.training


def test_embedding_remembers_the_frame(embedding: Embedding) -> None:
    assert embedding.frame_shape == (60, 100)
    assert embedding.features.shape == (256, 16, 16)
    assert embedding.features.dtype == np.float32
    assert embedding.features.flags.c_contiguous


def test_what_frames_of_a_shape_share_can_be_computed_ahead(
    tiny_sam: Sam, early_sam: Sam, frame: np.ndarray
) -> None:
    sam = copy.deepcopy(early_sam)
    assert isinstance(sam.image_encoder, TinyViT)
    sam.prepare((60, 100))
    assert len(sam.image_encoder._beyond) == 1
    found = sam.encode(frame)
    assert len(sam.image_encoder._beyond) == 1
    np.testing.assert_array_equal(found.features, early_sam.encode(frame).features)
    # Nothing is shared where whole squares are computed.
    tiny_sam.prepare((60, 100))


def test_ragged_batch_equals_single_calls(tiny_sam: Sam, embedding: Embedding) -> None:
    single = [tiny_sam.decode(embedding, [prompt]) for prompt in RAGGED]
    together = tiny_sam.decode(embedding, RAGGED)
    assert together.low_res_logits.shape == (6, 4, 64, 64)
    assert together.low_res_logits.dtype == np.float32
    assert together.iou_predictions.shape == (6, 4)
    assert_same(together, single)


def test_batch_larger_than_runs_at_once_equals_single_calls(
    tiny_sam: Sam, embedding: Embedding
) -> None:
    prompts = [at((10 * index, 5 * index)) for index in range(1, 20)]
    single = [tiny_sam.decode(embedding, [prompt]) for prompt in prompts]
    assert_same(tiny_sam.decode(embedding, prompts), single)


def test_previous_logits_belong_to_their_own_prompt(
    tiny_sam: Sam, embedding: Embedding
) -> None:
    rng = np.random.default_rng(1)
    first, last = rng.normal(0, 8, (2, 64, 64)).astype(np.float32)
    previous = [first, None, None, None, last, None]
    single = [
        tiny_sam.decode(embedding, [prompt], [mask])
        for prompt, mask in zip(RAGGED, previous, strict=True)
    ]
    assert_same(tiny_sam.decode(embedding, RAGGED, previous), single)


def test_previous_logits_change_the_answer(tiny_sam: Sam, embedding: Embedding) -> None:
    prompt = [at((30, 40))]
    without = tiny_sam.decode(embedding, prompt)
    given = tiny_sam.decode(embedding, prompt, [without.low_res_logits[0, 0]])
    unsaid = tiny_sam.decode(embedding, prompt, [None])
    assert not np.allclose(given.low_res_logits, without.low_res_logits, atol=1e-3)
    assert_same(unsaid, [without])


def test_no_prompts_give_no_masks(tiny_sam: Sam, embedding: Embedding) -> None:
    nothing = tiny_sam.decode(embedding, [])
    assert nothing.low_res_logits.shape == (0, 4, 64, 64)
    assert nothing.iou_predictions.shape == (0, 4)


def test_half_precision_features_are_accepted(
    tiny_sam: Sam, embedding: Embedding
) -> None:
    halved = Embedding(embedding.features.astype(np.float16), embedding.frame_shape)
    found = tiny_sam.decode(halved, [at((30, 40))]).low_res_logits
    expected = tiny_sam.decode(embedding, [at((30, 40))]).low_res_logits
    np.testing.assert_allclose(found, expected, atol=0.05)


@pytest.mark.filterwarnings("error")
def test_read_only_arrays_are_accepted(tiny_sam: Sam, embedding: Embedding) -> None:
    features = embedding.features.copy()
    logits = np.zeros((64, 64), np.float32)
    for array in (features, logits):
        array.flags.writeable = False
    frozen = Embedding(features, embedding.frame_shape)
    found = tiny_sam.decode(frozen, [at((30, 40))], [logits])
    assert_same(found, [tiny_sam.decode(embedding, [at((30, 40))], [logits.copy()])])


def test_threads_do_not_disturb_each_other(
    tiny_sam: Sam, make_tiny_sam: Callable[[int], Sam], embedding: Embedding
) -> None:
    other = make_tiny_sam(1)
    expected = [sam.decode(embedding, RAGGED) for sam in (tiny_sam, other)]
    with ThreadPoolExecutor(4) as pool:
        answers = [
            (index, pool.submit(sam.decode, embedding, RAGGED))
            for _ in range(4)
            for index, sam in enumerate((tiny_sam, other))
        ]
        for index, answer in answers:
            assert_same(answer.result(), [expected[index]])


def test_mask_alone_is_refused(tiny_sam: Sam, embedding: Embedding) -> None:
    with pytest.raises(PromptError, match="at least one point or a box"):
        tiny_sam.decode(embedding, [at()], [np.zeros((64, 64), np.float32)])


def test_number_of_previous_logits_must_match(
    tiny_sam: Sam, embedding: Embedding
) -> None:
    with pytest.raises(PromptError, match="2 previous masks do not fit 1 prompts"):
        tiny_sam.decode(embedding, [at((3, 4))], [None, None])


def test_previous_logits_must_be_low_resolution(
    tiny_sam: Sam, embedding: Embedding
) -> None:
    with pytest.raises(PromptError, match=r"of shape \(64, 64\) that this model"):
        tiny_sam.decode(embedding, [at((3, 4))], [np.zeros((60, 100), np.float32)])


def test_embedding_of_another_model_is_refused(tiny_sam: Sam) -> None:
    foreign = Embedding(np.zeros((256, 64, 64), np.float32), (60, 100))
    with pytest.raises(DecodingError, match="Embed the frame again"):
        tiny_sam.decode(foreign, [at((3, 4))])


@pytest.mark.parametrize(
    ("part", "ask"),
    [
        ("image_encoder", lambda sam, frame, _: sam.encode(frame)),
        ("mask_decoder", lambda sam, _, seen: sam.decode(seen, [at((3, 4))])),
    ],
)
@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("MPS backend out of memory"),
        torch.OutOfMemoryError("full"),
        MemoryError(),
    ],
)
def test_failures_name_a_remedy(
    make_tiny_sam: Callable[[int], Sam],
    frame: np.ndarray,
    embedding: Embedding,
    part: str,
    ask: Callable[[Sam, np.ndarray, Embedding], object],
    error: Exception,
) -> None:
    def fail(*_: object) -> None:
        raise error

    sam = make_tiny_sam(0)
    getattr(sam, part).register_forward_pre_hook(fail)
    with pytest.raises(DecodingError, match=r"fewer objects.*another device") as caught:
        ask(sam, frame, embedding)
    assert not isinstance(caught.value, RuntimeError)
    assert caught.value.__cause__ is error


def test_want_of_memory_when_enlarging_names_a_remedy(
    tiny_sam: Sam, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError("full")

    monkeypatch.setattr(np, "full", fail)
    with pytest.raises(DecodingError, match="could not enlarge masks on cpu: full"):
        tiny_sam.upscale(np.zeros((1, 64, 64), np.float32), (60, 100))


@pytest.mark.parametrize(
    "shape", [(60, 100), (256, 256), (300, 40), (1, 7), (999, 700)]
)
def test_upscaling_is_bilinear_twice_where_the_object_is(
    tiny_sam: Sam, shape: tuple[int, int]
) -> None:
    logits = np.full((2, 64, 64), -3, np.float32)
    logits[0, 3:9, 4:6] = np.random.default_rng(0).normal(1, 3, (6, 2))
    logits[1, 0, 0] = 2
    rows, columns = input_shape(shape, 256)
    square = F.interpolate(torch.from_numpy(logits)[None], (256, 256), mode="bilinear")[
        :, :, :rows, :columns
    ]
    expected = F.interpolate(square, shape, mode="bilinear")[0].numpy()
    found = tiny_sam.upscale(logits, shape)
    near = found > BACKGROUND_LOGIT
    assert np.array_equal(found > 0, expected > 0)
    np.testing.assert_allclose(found[near], expected[near], atol=1e-4)


def test_nothing_is_drawn_in_the_padding(tiny_sam: Sam, embedding: Embedding) -> None:
    # 60 x 100 pixels lie in 154 x 256 of the square, which are 10 rows of cells.
    logits = tiny_sam.decode(embedding, [at((30, 40))]).low_res_logits
    assert (logits[..., 40:, :] == BACKGROUND_LOGIT).all()
    assert (logits[..., :40, :] != BACKGROUND_LOGIT).all()


def test_frames_that_are_no_longer_held_leave_nothing_behind(
    make_tiny_sam: Callable[[int], Sam], frame: np.ndarray
) -> None:
    sam = make_tiny_sam(0)
    seen = sam.encode(frame)
    sam.decode(seen, [at((30, 40))])
    assert len(sam._cells) == 1
    del seen
    assert len(sam._cells) == 0


def test_one_mask_is_enlarged_where_there_is_something_of_it(tiny_sam: Sam) -> None:
    size, shape = tiny_sam.mask_size, (60, 100)
    logits = np.full((size, size), -5, np.float32)
    logits[3:7, 10:20] = 4
    found = tiny_sam.enlarge(logits, shape)
    whole = tiny_sam.upscale(logits[None], shape)[0]
    assert found.values.size < whole.size / 4
    np.testing.assert_array_equal(found.values, whole[found.place])
    np.testing.assert_array_equal(found.mask(shape), whole > 0)


def test_nothing_is_enlarged_to_nothing(tiny_sam: Sam) -> None:
    nothing = np.full((tiny_sam.mask_size, tiny_sam.mask_size), -5, np.float32)
    found = tiny_sam.enlarge(nothing, (60, 100))
    assert found.values.size == 0
    assert not found.mask((60, 100)).any()


@pytest.mark.parametrize("shape", [(60, 100), (256, 256), (300, 40), (1, 7)])
def test_upscaled_masks_have_the_size_of_the_frame(
    tiny_sam: Sam, shape: tuple[int, int]
) -> None:
    logits = np.random.default_rng(0).normal(size=(3, 64, 64)).astype(np.float32)
    upscaled = tiny_sam.upscale(logits, shape)
    assert upscaled.shape == (3, *shape)
    assert upscaled.dtype == np.float32


def test_upscaling_leaves_the_padding_out(tiny_sam: Sam) -> None:
    # A frame of 2:1 fills the upper half of the square; the lower half is padding.
    logits = np.full((1, 64, 64), -5, np.float32)
    logits[0, :32, 32:] = 5
    mask = tiny_sam.upscale(logits, (50, 100))[0] > 0
    assert not mask[:, :49].any()
    assert mask[:-1, 51:].all()


def test_upscaling_nothing_gives_nothing(tiny_sam: Sam) -> None:
    nothing = np.zeros((0, 64, 64), np.float32)
    assert tiny_sam.upscale(nothing, (60, 100)).shape == (0, 60, 100)


def test_an_encoder_without_a_fine_stage_cannot_encode_window(
    tiny_sam: Sam, frame: np.ndarray
) -> None:
    with pytest.raises(DecodingError, match="choose mobile_sam"):
        tiny_sam.encode_window(frame, (slice(0, 2), slice(0, 2)))


@pytest.mark.parametrize(
    "cells", [np.s_[0:10, 0:12], np.s_[7:20, 30:64], np.s_[30:64, 20:40]]
)
def test_a_window_is_seen_as_the_whole_is(
    mobile_sam: Sam, cells: tuple[slice, slice]
) -> None:
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (600, 1024, 3)).astype(np.uint8)
    pixels = prepare_frame(frame, 1024)
    early = mobile_sam.image_encoder.early_features(pixels)[0].permute(2, 0, 1)
    found = mobile_sam.encode_window(frame, cells)
    (top, bottom), (left, right) = ((side.start, side.stop) for side in cells)
    fine = early[:, 4 * top : 4 * bottom, 4 * left : 4 * right]
    shown = pixels[0, :, 16 * top : 16 * bottom, 16 * left : 16 * right]
    np.testing.assert_allclose(found.pixels, shown, atol=1e-6)
    np.testing.assert_allclose(found.early, fine.detach(), atol=1e-3)
