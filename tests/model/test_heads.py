from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from napari_sam_decoder.model.heads import Heads, Rater
from napari_sam_decoder.model.hires_decoder import SLIM, HiresDecoder

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


def test_there_are_none_unless_given() -> None:
    assert Heads().rater is None
    assert Heads().sharpener is None
