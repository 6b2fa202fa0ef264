"""The task of redrawing masks: batches, augmentation, loss, and what is kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from napari_sam_decoder.atomic_files import atomic_write
from napari_sam_decoder.errors import (
    CheckpointError,
    wrap_read_errors,
    wrap_write_errors,
)
from napari_sam_decoder.interactive.clues import BRIGHTEST
from napari_sam_decoder.model.refinement import RefinementNetwork
from refiner_parts.rollouts import View

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

__all__ = ["Learner", "RefinementTask", "read_weights", "save_weights"]

PICTURE, MASK = slice(0, 3), slice(3, 4)
TOGETHER, ALONE = slice(4, 8), slice(8, 12)
INSIDE, NEARNESS = 18, 19
"""Channels of `Clues.seen`."""

BATCH = 32
MOMENTUM = 0.998
"""Share of the running mean that a step leaves, in the end."""

INVERTED, REORDERED, GREY, NOISY, BLURRED = 0.3, 0.4, 0.3, 0.3, 0.25
"""Shares of the pictures that are changed in these ways."""
CONTRAST, BRIGHTNESS, NOISE = 0.2, 0.15, 0.4
"""How much, in deviations of the picture; contrast as the logarithm."""
HIDDEN = ((TOGETHER, 0.15), (ALONE, 0.15), (MASK, 0.05))
"""Clues that are left out, and of which share of the samples."""

FAR, NEAR = 0.2, 1.5
"""Weight of what is far from an action, and what is added at the action."""
DICE, DICE_NEAR, RATING = 0.5, 0.25, 0.5
"""Weights of the losses; that of cross-entropy is 1."""
SMOOTHING = 20.0


class Learner(nn.Module):
    """A network that learns, and the running mean of its weights.

    Parameters
    ----------
    network : RefinementNetwork
        In float32.
    """

    def __init__(self, network: RefinementNetwork) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        mean = AveragedModel(network, avg_fn=_running_mean, use_buffers=True)
        self._mean = mean.requires_grad_(requires_grad=False)

    @property
    def mean(self) -> RefinementNetwork:
        """The mean, without the last step."""
        network = self._mean.module
        assert isinstance(network, RefinementNetwork)
        return network

    def forward(self, clues: Tensor) -> tuple[Tensor, Tensor]:
        """As the network does, which has taken another step since the last call."""
        self._mean.update_parameters(self.network)
        logits, ratings = self.network(clues)
        return logits, ratings


class RefinementTask:
    """Draws samples, and computes the loss of a refinement network.

    Parameters
    ----------
    shards : sequence of (N,) array of `SAMPLE`
        A batch comes from one of them. Empty ones are left out.
    weights : sequence of float
        How often each is used.
    size : int
        Samples in a batch.
    """

    def __init__(
        self,
        shards: Sequence[np.ndarray],
        weights: Sequence[float],
        size: int = BATCH,
    ) -> None:
        filled = [number for number, shard in enumerate(shards) if len(shard)]
        self._shards = [shards[number] for number in filled]
        kept = np.array([weights[number] for number in filled])
        self._shares = kept / kept.sum()
        self._size = size

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """Return a batch, augmented.

        Returns
        -------
        clues : (B, CLUES, GRID_SIDE, GRID_SIDE) tensor
        truth : (B, GRID_SIDE, GRID_SIDE) tensor
            0..1.
        is_near : (B,) tensor of bool
            Whether a sample is of what is around an action.
        """
        shard = self._shards[rng.choice(len(self._shards), p=self._shares)]
        chosen = shard[rng.integers(len(shard), size=self._size)]
        clues = torch.from_numpy(chosen["clues"].astype(np.float32) / 127)
        truth = torch.from_numpy(chosen["truth"].astype(np.float32) / 255)
        clues, truth = _turned([clues, truth], rng)
        clues[:, PICTURE] = _relit(clues[:, PICTURE], rng)
        clues[:, PICTURE] *= clues[:, INSIDE, None]
        for channels, share in HIDDEN:
            clues[:, channels] *= 1 - _some(share, self._size, rng)
        return clues, truth, torch.from_numpy(chosen["view"] == View.NEAR)

    def loss(self, learner: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return cross-entropy, dice loss and the squared error of the rating.

        Around an action, what is near to it counts most.
        """
        clues, truth, is_near = batch
        logits, ratings = learner(clues.contiguous(memory_format=torch.channels_last))
        logits, ratings = logits.float(), ratings.float()
        inside, nearness = clues[:, INSIDE], clues[:, NEARNESS]
        near = is_near[:, None, None]
        weights = inside * torch.where(near, FAR + NEAR * nearness, 1.0)
        losses = _cross_entropy(logits, truth, weights)
        dice = _dice(logits.sigmoid() * inside, truth * inside)
        losses = losses + torch.where(is_near, DICE_NEAR, DICE) * dice
        ious = _ious((logits > 0) & (inside > 0.5), (truth > 0.5) & (inside > 0.5))
        losses = losses + RATING * (ratings - ious).square()
        mean: Tensor = losses.mean()
        return mean


def read_weights(path: Path) -> RefinementNetwork:
    """Read a network that is to learn more.

    Raises
    ------
    CheckpointError
        If the file is not one of `save_weights`.
    """
    network = RefinementNetwork()
    with wrap_read_errors(path, CheckpointError, "train it again"):
        weights = {name: part.float() for name, part in load_file(path).items()}
    network.load_state_dict(weights, strict=False)
    return network


def save_weights(network: RefinementNetwork, path: Path) -> None:
    """Write what `load_refinement` reads, in float16; the file appears whole.

    Raises
    ------
    FormatError
        If it cannot be written.
    """
    weights = {
        name: part.half().contiguous()
        for name, part in network.state_dict().items()
        if part.is_floating_point()
    }
    with wrap_write_errors(path), atomic_write(path) as partial:
        save_file(weights, partial)


def _running_mean(mean: Tensor, newest: Tensor, steps: Tensor | int) -> Tensor:
    """Of all steps in the beginning, later of the last ones."""
    count = float(steps)
    left = min(MOMENTUM, count / (count + 20))
    return left * mean + (1 - left) * newest


def _turned(images: Sequence[Tensor], rng: np.random.Generator) -> list[Tensor]:
    """Flip and transpose all in the same way."""
    flipped = [axis for axis in (-1, -2) if rng.random() < 0.5]
    turned = [image.flip(flipped) for image in images]
    if rng.random() < 0.5:
        turned = [image.transpose(-1, -2).contiguous() for image in turned]
    return turned


def _relit(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Change colours, contrast and sharpness of (B, 3, H, W) pictures, in -1..1."""
    count = len(pictures)
    pictures = pictures * BRIGHTEST
    pictures = pictures * (1 - 2 * _some(INVERTED, count, rng))
    if rng.random() < REORDERED:
        pictures = pictures[:, rng.permutation(3)]
    grey = pictures.mean(dim=1, keepdim=True).expand_as(pictures)
    pictures = torch.lerp(pictures, grey, _some(GREY, count, rng))
    contrast = torch.exp(CONTRAST * _normal((count, 1, 1, 1), rng))
    pictures = pictures * contrast + BRIGHTNESS * _normal((count, 1, 1, 1), rng)
    strength = torch.from_numpy(rng.random((count, 1, 1, 1), np.float32))
    strength = NOISE * strength * _some(NOISY, count, rng)
    pictures = pictures + strength * _normal(tuple(pictures.shape), rng)
    blurred = F.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)
    pictures = torch.lerp(pictures, blurred, _some(BLURRED, count, rng))
    return pictures.clamp(-BRIGHTEST, BRIGHTEST) / BRIGHTEST


def _some(share: float, count: int, rng: np.random.Generator) -> Tensor:
    """(count, 1, 1, 1) tensor of which that share is 1, the rest 0."""
    chosen = rng.random((count, 1, 1, 1)) < share
    return torch.from_numpy(chosen.astype(np.float32))


def _normal(shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.standard_normal(shape, np.float32))


def _cross_entropy(logits: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """(B,) weighted means."""
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    total = weights.sum(dim=(1, 2)).clamp(min=1)
    return (entropy * weights).sum(dim=(1, 2)) / total


def _dice(drawn: Tensor, truth: Tensor) -> Tensor:
    """(B,) losses; smoothed, since objects may hardly be in the window."""
    common = (drawn * truth).sum(dim=(1, 2))
    total = (drawn + truth).sum(dim=(1, 2))
    return 1 - (2 * common + SMOOTHING) / (total + SMOOTHING)


def _ious(drawn: Tensor, truth: Tensor) -> Tensor:
    """(B,) IoU of bool masks, 1 if both are empty."""
    common = (drawn & truth).sum(dim=(1, 2))
    union = (drawn | truth).sum(dim=(1, 2))
    return (common + 1) / (union + 1)
