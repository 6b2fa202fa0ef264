"""Configurations that are trained alike, each by several seeds, and measured."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from decoder_parts.heads import DrawnHead
from decoder_parts.sampling import ask_all, read
from decoder_parts.summary import mean, summarise
from decoder_parts.unet_file import save_unet
from napari_sam_decoder.model.hires_decoder import (
    DRAWN,
    HiresConfig,
    HiresDecoder,
    start_from,
)
from napari_sam_decoder.model.precision import choose_precision
from napari_sam_decoder.training.loop import Course, train
from napari_sam_decoder.weights.trained_decoders import (
    AboutDecoder,
    TrainedDecoder,
    save_decoder,
)
from shipped_head.unet_decoder import UnetConfig, UnetDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from decoder_parts.sampling import Sampling
    from decoder_parts.summary import Row
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.training.loop import Step
    from shipped_head.whole_masks import WholeMasks

    Config = HiresConfig | UnetConfig
    Network = HiresDecoder | UnetDecoder

__all__ = ["CONFIGURATIONS", "SEEDS", "TYPES", "Trial", "build"]

CONFIGURATIONS: dict[str, Config] = {
    "base": DRAWN,
    "depth 1": replace(DRAWN, depth=1),
    "depth 4": replace(DRAWN, depth=4),
    "masks 1": replace(DRAWN, masks=1),
    "masks 5": replace(DRAWN, masks=5),
    "no skips": replace(DRAWN, skips=False),
    "no IoU head": replace(DRAWN, iou_head=False),
    "U-Net": UnetConfig(),
}
"""Without IoU head the first hypothesis is picked, in training and in use."""

SEEDS = (0, 1)

TYPES: dict[str, dict[str, torch.dtype]] = {
    "base": {
        "base": torch.float32,
        "base, bfloat16": torch.bfloat16,
        "base, float16 weights": torch.float16,
    }
}
"""In which number types a configuration draws; by default in float32 only. Weights in
float16 are stored so, and brought back: few processors compute in it."""

RATE = 1e-3


@dataclass(frozen=True)
class Trial:
    """One configuration, trained by one seed.

    Attributes
    ----------
    name : str
        In `CONFIGURATIONS`.
    seed : int
        First weights and batches follow from it.
    folder : Path
        Of its own: state, ``curve.csv``, weights and ``scores.json``.
    """

    name: str
    seed: int
    folder: Path

    @property
    def curve(self) -> Path:
        """The table of losses."""
        return self.folder / "curve.csv"

    def network(self, sam: Sam) -> Network:
        """Build what is trained, with its first weights."""
        return build(CONFIGURATIONS[self.name], sam, self.seed)

    def train(self, network: Network, task: WholeMasks, steps: int) -> Iterator[Step]:
        """Teach, or go on, or only read the weights if it was finished."""
        course = Course(steps, RATE, warm_up=min(100, steps // 5), seed=self.seed)
        device = next(network.parameters()).device
        dtype = choose_precision("auto", device)
        yield from train(network, task, course, self.folder, dtype=dtype)

    def save(self, network: Network, sam: Sam) -> None:
        """Write weights that ``decoder.py`` takes."""
        if isinstance(network, UnetDecoder):
            save_unet(network, self.folder / "unet.safetensors")
            return
        about = AboutDecoder(sam.weights, f"ablation, {self.name}, seed {self.seed}")
        path = self.folder / "drawn.safetensors"
        save_decoder(TrainedDecoder(about, network), path)

    def measure(
        self, network: Network, sam: Sam, data: Sequence[Path], sampling: Sampling
    ) -> dict[str, Row]:
        """Score each number type on sequences, once; later runs read the scores."""
        asked = [str(sampling), *(path.name for path in data)]
        scores = _Scores(self.folder / "scores.json", asked)
        found = scores.read()
        if found is None:
            found = _measure(self.name, network, sam, data, sampling)
            scores.write(found)
        return found


def build(config: Config, sam: Sam, seed: int) -> Network:
    """Build a network by its seed, with what SAM's decoder has of the same shape."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if isinstance(config, UnetConfig):
            network: Network = UnetDecoder(config)
        else:
            network = HiresDecoder(config)
            start_from(network, sam.mask_decoder)
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
        head = DrawnHead(sam, _in_type(network, dtype))
        for clip in clips:
            answers = ask_all({variant: head}, sam, clip, sampling)[variant]
            rows[variant].append(summarise(answers))
    return {variant: mean(found) for variant, found in rows.items()}


def _in_type(network: Network, dtype: torch.dtype) -> Network:
    """A copy that draws in a number type; tokens are always read in float32."""
    copied = deepcopy(network)
    if dtype == torch.float16:
        return copied.half().float()
    drawing = copied.drawing if isinstance(copied, HiresDecoder) else copied
    drawing.to(dtype)
    return copied


class _Scores:
    """What was measured on which objects, on disk."""

    def __init__(self, path: Path, asked: list[str]) -> None:
        self._path = path
        self._asked = asked

    def read(self) -> dict[str, Row] | None:
        """Return None if it was not, or on others."""
        if not self._path.exists():
            return None
        content = json.loads(self._path.read_text())
        same = content["asked"] == self._asked
        return content["rows"] if same else None

    def write(self, rows: dict[str, Row]) -> None:
        content = {"asked": self._asked, "rows": rows}
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps(content, indent=1) + "\n")
        partial.replace(self._path)
