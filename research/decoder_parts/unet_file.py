"""Files of trained U-Nets; only benchmarks have any use for them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from safetensors import safe_open
from safetensors.torch import load_file, save_file

from shipped_head.unet_decoder import UnetConfig, UnetDecoder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load_unet", "save_unet"]


def save_unet(network: UnetDecoder, path: Path) -> None:
    """Write weights, and how the network is built."""
    state = {name: part.contiguous() for name, part in network.state_dict().items()}
    save_file(state, path, {"config": json.dumps(asdict(network.config))})


def load_unet(path: Path) -> UnetDecoder:
    """Read what `save_unet` has written."""
    with safe_open(path, "pt") as content:
        config = json.loads(content.metadata()["config"])
    for key in ("widths", "last_widths"):
        config[key] = tuple(config[key])
    network = UnetDecoder(UnetConfig(**config))
    network.load_state_dict(load_file(path))
    return network
