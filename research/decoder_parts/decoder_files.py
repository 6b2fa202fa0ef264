"""Files of the trained decoders that are compared only: the document's, and U-Nets."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from safetensors import safe_open
from safetensors.torch import load_file, save_file

from decoder_parts.document_decoder import DocumentConfig, DocumentDecoder
from decoder_parts.unet_decoder import UnetConfig, UnetDecoder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load_document", "load_unet", "save_network"]


def save_network(network: DocumentDecoder | UnetDecoder, path: Path) -> None:
    """Write weights in float32, and the configuration of the network."""
    state = {name: part.contiguous() for name, part in network.state_dict().items()}
    save_file(state, path, {"config": json.dumps(asdict(network.config))})


def load_document(path: Path) -> DocumentDecoder:
    """Read a `DocumentDecoder` that `save_network` has written."""
    config = _config(path)
    network = DocumentDecoder(
        DocumentConfig(**{**config, "widths": tuple(config["widths"])})
    )
    network.load_state_dict(load_file(path))
    return network


def load_unet(path: Path) -> UnetDecoder:
    """Read a `UnetDecoder` that `save_network` has written."""
    config = _config(path)
    for key in ("widths", "last_widths"):
        config[key] = tuple(config[key])
    network = UnetDecoder(UnetConfig(**config))
    network.load_state_dict(load_file(path))
    return network


def _config(path: Path) -> dict:
    with safe_open(path, "pt") as content:
        return json.loads(content.metadata()["config"])
