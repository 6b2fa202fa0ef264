from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.model.precision import (
    Precision,
    choose_precision,
    prepare_for_inference,
)
from napari_sam_decoder.model.quantised import multiplies_int8
from napari_sam_decoder.model.values import ModelPrompt
from napari_sam_decoder.weights.registry import load_sam

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam_decoder.model.sam import Sam

CPU = torch.device("cpu")


QUESTIONS = {"AMX": "_is_amx_tile_supported", "vectors": "_is_avx512_bf16_supported"}
UNITS = {"wide": "avx512_vnni", "narrow": "avx_vnni"}


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, set[str]], None]:
    def make(capability: str, products: set[str]) -> None:
        monkeypatch.setattr(
            torch.backends.cpu, "get_cpu_capability", lambda: capability
        )
        for name, question in QUESTIONS.items():
            answer = name in products
            monkeypatch.setattr(
                torch.cpu, question, lambda it=answer: it, raising=False
            )
        offers = {unit: name in products for name, unit in UNITS.items()}
        monkeypatch.setattr(
            torch.cpu, "get_capabilities", lambda: offers, raising=False
        )

    return make


@pytest.mark.parametrize(
    ("capability", "products", "expected"),
    [
        ("AVX512", {"AMX", "vectors", "wide"}, "bfloat16"),
        ("AVX512", {"AMX"}, "bfloat16"),
        ("AVX512", {"vectors"}, "bfloat16"),
        ("AVX512", {"vectors", "wide"}, "bfloat16"),
        ("AVX512", set(), "float32"),
        ("AVX2", {"AMX", "vectors"}, "float32"),
        ("DEFAULT", {"wide"}, "float32"),
    ],
)
def test_bfloat16_is_for_processors_that_multiply_it(
    capability: str,
    products: set[str],
    expected: str,
    pretend: Callable[[str, set[str]], None],
) -> None:
    pretend(capability, products)
    assert choose_precision("auto", CPU) == expected


@pytest.mark.skipif(not multiplies_int8(), reason="torch has no products of int8")
@pytest.mark.parametrize(
    ("capability", "products"), [("AVX512", {"wide"}), ("AVX2", {"narrow"})]
)
def test_int8_is_for_processors_without_products_of_bfloat16(
    capability: str, products: set[str], pretend: Callable[[str, set[str]], None]
) -> None:
    pretend(capability, products)
    for name in ("auto", "int8"):
        assert choose_precision(name, CPU, is_calibrated=True) == "int8"
    assert choose_precision("auto", CPU, is_calibrated=False) == "float32"
    pretend("AVX512", products | {"AMX"})
    assert choose_precision("auto", CPU, is_calibrated=True) == "bfloat16"


def test_a_torch_that_cannot_tell_gets_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    for question in (*QUESTIONS.values(), "get_capabilities"):
        monkeypatch.delattr(torch.cpu, question, raising=False)
    assert choose_precision("auto", CPU, is_calibrated=True) == "float32"


def test_int8_is_refused_with_the_remedy(
    pretend: Callable[[str, set[str]], None],
) -> None:
    pretend("AVX2", set())
    with pytest.raises(OptionError, match=r"processors that multiply it.*'auto'"):
        choose_precision("int8", CPU, is_calibrated=True)
    with pytest.raises(OptionError, match="for processors"):
        choose_precision("int8", torch.device("cuda"), is_calibrated=True)
    with pytest.raises(OptionError, match="for the bundled model only"):
        choose_precision("int8", CPU)


def test_beside_products_of_int8_all_is_float32() -> None:
    assert Precision.INT8.dtype == torch.float32
    assert Precision.BFLOAT16.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("capability", "expected"), [((8, 6), "bfloat16"), ((7, 5), "float16")]
)
def test_gpus_compute_in_half_precision(
    capability: tuple[int, int], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert (
        choose_precision("auto", torch.device("cuda"), is_calibrated=True) == expected
    )
    assert (
        choose_precision("auto", torch.device("mps"), is_calibrated=True) == "float32"
    )


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_what_is_asked_for_is_taken(name: str) -> None:
    assert choose_precision(name, CPU) == name
    assert choose_precision("float16", torch.device("cuda")) == "float16"


def test_unknown_precision_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(OptionError, match="auto, float32, bfloat16, float16, int8"):
        load_sam(precision="double")


def test_float16_is_refused_on_a_cpu() -> None:
    with pytest.raises(OptionError, match="float16 is for GPUs"):
        load_sam(device="cpu", precision="float16")


def test_tuned_network_has_no_norms_left_and_lies_channels_last(
    mobile_sam: Sam,
) -> None:
    parts = list(mobile_sam.image_encoder.modules())
    assert not any(isinstance(part, nn.BatchNorm2d) for part in parts)
    stem = mobile_sam.image_encoder.patch_embed.seq[0]
    assert stem.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_smaller_numbers_give_nearly_the_same(
    dtype: torch.dtype, make_tiny_sam: Callable[[int], Sam]
) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (60, 100, 3), np.uint8)
    prompt = ModelPrompt(np.array([[50.0, 60.0]]), np.array([1]))
    exact, small = make_tiny_sam(0), prepare_for_inference(make_tiny_sam(0), dtype)
    assert small.dtype == dtype
    embedding = exact.encode(frame)
    assert small.encode(frame).features.dtype == np.float32
    error = np.abs(small.encode(frame).features - embedding.features).max()
    assert 0 < error < 0.1
    previous = [exact.decode(embedding, [prompt]).low_res_logits[0, 0]]
    wanted = exact.decode(embedding, [prompt], previous)
    found = small.decode(embedding, [prompt], previous)
    assert found.low_res_logits.dtype == np.float32
    np.testing.assert_allclose(found.low_res_logits, wanted.low_res_logits, atol=0.15)
    np.testing.assert_allclose(found.iou_predictions, wanted.iou_predictions, atol=0.05)
