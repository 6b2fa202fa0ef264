from __future__ import annotations

import pytest
import torch

from napari_sam_decoder.errors import DecodingError
from napari_sam_decoder.model.torch_errors import computing

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_a_mistake_of_ours_is_not_taken_for_want_of_memory() -> None:
    with pytest.raises(RuntimeError, match="mat1 and mat2"), computing("think", CPU):
        torch.zeros(2, 3) @ torch.zeros(2, 3)


def test_another_device_helps_where_an_accelerator_fails() -> None:
    with (
        pytest.raises(
            DecodingError, match=r"could not think on cuda: broken. Use anot"
        ),
        computing("think", CUDA),
    ):
        raise RuntimeError("broken")


@pytest.mark.parametrize("device", [CPU, CUDA])
def test_want_of_memory_names_what_needs_less(device: torch.device) -> None:
    with (
        pytest.raises(DecodingError, match="Use fewer objects"),
        computing("think", device),
    ):
        raise MemoryError
    with (
        pytest.raises(DecodingError, match="Use fewer objects"),
        computing("think", device),
    ):
        torch.empty(10**14)


@pytest.mark.parametrize("error", [KeyError("x"), AttributeError("x"), TypeError("x")])
def test_other_errors_go_on(error: Exception) -> None:
    with pytest.raises(type(error)), computing("think", CUDA):
        raise error
