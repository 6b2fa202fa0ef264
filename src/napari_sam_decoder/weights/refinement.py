"""The weights of the refiner, which come with the package."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

from napari_sam_decoder.model.precision import choose_precision
from napari_sam_decoder.model.refinement import RefinementNetwork

__all__ = ["REFINER_FILE", "load_refinement"]

REFINER_FILE = Path(__file__).with_name("refiner.fp16.safetensors")


def load_refinement(path: Path = REFINER_FILE) -> RefinementNetwork:
    """Load a refinement network, ready for use on the CPU.

    Parameters
    ----------
    path : Path
        Of its weights; by default those of the package.

    Returns
    -------
    RefinementNetwork
    """
    # Where nothing is drawn at random: a process's own numbers are left as they are.
    with torch.device("meta"):
        network = RefinementNetwork()
    weights = {name: values.float() for name, values in load_file(path).items()}
    # Counters of the norms are of no use after training, and not in the file.
    network.load_state_dict(weights, strict=False, assign=True)
    return network.prepared(choose_precision("auto", torch.device("cpu")).dtype)
