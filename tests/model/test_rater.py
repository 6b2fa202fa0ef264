from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_sam_decoder.errors import DecodingError
from napari_sam_decoder.model.hires_decoder import SLIM, HiresDecoder
from napari_sam_decoder.model.rater import Rater

CONFIG = replace(SLIM, widths=(8, 8, 4, 4), channels=16, early_channels=4)


def test_hypotheses_are_rated_between_nothing_and_all() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        decoder = HiresDecoder(CONFIG)
    tokens = np.random.default_rng(0).standard_normal((6, 5, 16)).astype(np.float32)
    rated = Rater(decoder).rate(tokens)
    assert rated.shape == (6, 3)
    assert rated.dtype == np.float32
    assert rated.min() > 0
    assert rated.max() < 1


def test_want_of_memory_is_told_by_our_own_error() -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    decoder = HiresDecoder(CONFIG)
    decoder.register_forward_pre_hook(fail)
    for part in decoder.modules():
        part.register_forward_pre_hook(fail)
    with pytest.raises(DecodingError, match="could not rate"):
        Rater(decoder).rate(np.zeros((1, 5, 16), np.float32))


def test_tokens_of_another_decoder_are_a_mistake_of_ours() -> None:
    with pytest.raises(RuntimeError):
        Rater(HiresDecoder(CONFIG)).rate(np.zeros((1, 5, 3), np.float32))
