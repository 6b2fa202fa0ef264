"""Ranges in which rounding to 256 values changes least."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from napari_sam_decoder.model.quantised import InputRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari_sam_decoder.model.sam import Sam

__all__ = ["best_range", "measure_ranges", "quantisable"]

SAMPLES = 4096
"""Values per layer and picture."""
SHARES = [number / 40 for number in range(8, 41)]
LEFT_ALONE = "patch_embed.seq.0", "local_conv"
"""The first layer, whose inputs have few channels, and convolutions that are not
faster: there it takes longer to round the inputs than to multiply them."""


def measure_ranges(sam: Sam, pictures: Iterable[np.ndarray]) -> dict[str, InputRange]:
    """Embed pictures, and find the best range of the inputs of each layer.

    Parameters
    ----------
    sam : Sam
        In float32, with its norms folded.
    pictures : iterable of (Y, X, 3) arrays of uint8
        Unlike each other.

    Returns
    -------
    dict of str to InputRange
        By the name of the layer in the image encoder.
    """
    seen: dict[str, list[Tensor]] = defaultdict(list)
    rng = np.random.default_rng(0)
    hooks = [
        layer.register_forward_pre_hook(_watch(seen[name], rng))
        for name, layer in quantisable(sam.image_encoder).items()
    ]
    for picture in pictures:
        sam.encode(picture)
    for hook in hooks:
        hook.remove()
    return {name: best_range(torch.cat(values)) for name, values in seen.items()}


def quantisable(network: nn.Module) -> dict[str, nn.Module]:
    """Return the layers that multiply int8 later, by their names."""
    return {
        name: layer
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d) and not name.endswith(LEFT_ALONE)
    }


def best_range(values: Tensor) -> InputRange:
    """Return the range in which the mean square of what rounding changes is least.

    Parameters
    ----------
    values : (N,) tensor of float32
        Inputs of a layer.

    Returns
    -------
    InputRange
        With both ends within those of the values and 0.
    """
    low, high = min(values.min().item(), 0.0), max(values.max().item(), 0.0)
    ranges = (
        InputRange(first * low, last * high)
        for share in SHARES
        for first, last in ((share, share), (1, share), (share, 1))
    )
    return min(ranges, key=lambda one: _change(values, one))


def _change(values: Tensor, given: InputRange) -> float:
    back = (given.round(values).float() - given.zero) * given.scale
    return (back - values).square().mean().item()


def _watch(
    seen: list[Tensor], rng: np.random.Generator
) -> Callable[[nn.Module, tuple[Tensor]], None]:
    def watch(_: nn.Module, inputs: tuple[Tensor]) -> None:
        flat = inputs[0].flatten()
        places = torch.from_numpy(rng.integers(0, len(flat), SAMPLES))
        seen.append(flat[places])

    return watch
