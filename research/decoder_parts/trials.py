"""Configurations that are trained and measured alike, each with several seeds."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from decoder_parts.compared_heads import WholeMaskHead
from decoder_parts.decoder_files import save_network
from decoder_parts.document_decoder import (
    DocumentConfig,
    DocumentDecoder,
    copy_from_sam,
)
from decoder_parts.sampling import read, score_all
from decoder_parts.summary import mean, summarise
from decoder_parts.unet_decoder import UnetConfig, UnetDecoder
from napari_sam_decoder.model.precision import choose_precision
from napari_sam_decoder.training.loop import Schedule, train

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from decoder_parts.sampling import Sampling
    from decoder_parts.summary import Row
    from decoder_parts.whole_mask_task import WholeMaskTask
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.training.loop import TrainingStep

    Config = DocumentConfig | UnetConfig
    Network = DocumentDecoder | UnetDecoder

__all__ = ["CONFIGURATIONS", "SEEDS", "TYPES", "Trial", "build"]

DOCUMENT = DocumentConfig()

CONFIGURATIONS: dict[str, Config] = {
    "base": DOCUMENT,
    "depth 1": replace(DOCUMENT, depth=1),
    "depth 4": replace(DOCUMENT, depth=4),
    "masks 1": replace(DOCUMENT, masks=1),
    "masks 5": replace(DOCUMENT, masks=5),
    "no skips": replace(DOCUMENT, skips=False),
    "no IoU head": replace(DOCUMENT, iou_head=False),
    "U-Net": UnetConfig(),
}
"""Without an IoU head the first hypothesis is chosen, in training and in use."""

SEEDS = (0, 1)

TYPES: dict[str, dict[str, torch.dtype]] = {
    "base": {
        "base": torch.float32,
        "base, bfloat16": torch.bfloat16,
        "base, float16 weights": torch.float16,
    }
}
"""Number types in which a configuration draws; float32 by default. With float16 only
the weights are rounded: few processors compute in it."""

RATE = 1e-3


@dataclass(frozen=True)
class Trial:
    """One configuration, trained with one seed.

    Attributes
    ----------
    name : str
        A key of `CONFIGURATIONS`.
    seed : int
        Determines first weights and batches.
    folder : Path
        For checkpoint, ``curve.csv``, weights and ``scores.json``.
    """

    name: str
    seed: int
    folder: Path

    @property
    def curve(self) -> Path:
        """Path of the table of losses."""
        return self.folder / "curve.csv"

    def network(self, sam: Sam) -> Network:
        """Build the network with its first weights."""
        return build(CONFIGURATIONS[self.name], sam, self.seed)

    def train(
        self, network: Network, task: WholeMaskTask, steps: int
    ) -> Iterator[TrainingStep]:
        """Train, or resume; if it was finished, only read the weights."""
        schedule = Schedule(steps, RATE, warm_up=min(100, steps // 5), seed=self.seed)
        device = next(network.parameters()).device
        dtype = choose_precision("auto", device).dtype
        yield from train(network, task, schedule, self.folder, dtype=dtype)

    def save(self, network: Network) -> None:
        """Write the weights for ``decoder.py``."""
        kind = "unet" if isinstance(network, UnetDecoder) else "drawn"
        save_network(network, self.folder / f"{kind}.safetensors")

    def measure(
        self, network: Network, sam: Sam, data: Sequence[Path], sampling: Sampling
    ) -> dict[str, Row]:
        """Measure each number type on sequences once; later runs read the scores."""
        data_used = [str(sampling), *(path.name for path in data)]
        scores = _Scores(self.folder / "scores.json", data_used)
        found = scores.read()
        if found is None:
            found = _measure(self.name, network, sam, data, sampling)
            scores.write(found)
        return found


def build(config: Config, sam: Sam, seed: int) -> Network:
    """Build a network with a seed, and copy what fits from SAM's decoder."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if isinstance(config, UnetConfig):
            network: Network = UnetDecoder(config)
        else:
            network = DocumentDecoder(config)
            copy_from_sam(network, sam.mask_decoder)
    return network.to(sam.device, memory_format=torch.channels_last)


def _measure(
    name: str,
    network: Network,
    sam: Sam,
    data: Sequence[Path],
    sampling: Sampling,
) -> dict[str, Row]:
    types = TYPES.get(name, {name: torch.float32})
    rows: dict[str, list[Row]] = {variant: [] for variant in types}
    clips = [read(path) for path in data]
    for variant, dtype in types.items():
        head = WholeMaskHead(sam, _in_type(network, dtype))
        for clip in clips:
            scores = score_all({variant: head}, sam, clip, sampling)[variant]
            rows[variant].append(summarise(scores))
    return {variant: mean(found) for variant, found in rows.items()}


def _in_type(network: Network, dtype: torch.dtype) -> Network:
    """A copy that draws in a number type; the transformer stays in float32."""
    copied = deepcopy(network)
    if dtype == torch.float16:
        return copied.half().float()
    drawing = copied.drawing if isinstance(copied, DocumentDecoder) else copied
    drawing.to(dtype)
    return copied


class _Scores:
    """Measures on disk, and the data that they are of."""

    def __init__(self, path: Path, data_used: list[str]) -> None:
        self._path = path
        self._data_used = data_used

    def read(self) -> dict[str, Row] | None:
        """Return None if there are none, or of other data."""
        if not self._path.exists():
            return None
        content = json.loads(self._path.read_text())
        same = content["asked"] == self._data_used
        return content["rows"] if same else None

    def write(self, rows: dict[str, Row]) -> None:
        content = {"asked": self._data_used, "rows": rows}
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps(content, indent=1) + "\n")
        partial.replace(self._path)
