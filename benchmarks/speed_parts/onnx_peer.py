"""The peer `onnxruntime`: the plain network as a graph, optimised and run by it."""

from __future__ import annotations

import logging
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch

from speed_parts.scene import MOST_PROMPTS, Scene

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from speed_parts.eager_peer import EagerPeer

__all__ = ["OnnxPeer", "export", "missing_packages"]

PACKAGES = "onnx", "onnxscript", "onnxruntime"
ENCODER, DECODER = "encoder.onnx", "decoder.onnx"
TRACED_PROMPTS = 4
"""Any number but 1, which would count as fixed."""


def missing_packages() -> list[str]:
    """Names of the packages that this peer needs and that are not installed."""
    return [name for name in PACKAGES if find_spec(name) is None]


def export(network: EagerPeer, folder: Path) -> None:
    """Write both halves of the plain network: one frame, any number of prompts."""
    scene = Scene.of((64, 64))
    positions, labels = scene.tokens(TRACED_PROMPTS)
    _write(network.encoder, (scene.pixels,), folder / ENCODER, names=["image"])
    prompts = torch.export.Dim("prompts", min=1, max=MOST_PROMPTS)
    _write(
        network.decoder,
        (scene.features, positions, labels),
        folder / DECODER,
        names=["embedding", "positions", "labels"],
        dynamic_shapes=({}, {0: prompts}, {0: prompts}),
    )


class OnnxPeer:
    """Graphs on the CPU, with as many threads as torch has.

    Parameters
    ----------
    folder : Path
        What `export` wrote.
    """

    name = "onnxruntime"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def encoding(self, scene: Scene) -> Callable[[], object]:
        """The network alone: the frame is resized and normalised beforehand."""
        return self._run(ENCODER, {"image": scene.pixels})

    def decoding(self, scene: Scene, count: int) -> Callable[[], object]:
        """The first `count` prompts, on an embedding in memory."""
        positions, labels = scene.tokens(count)
        features = scene.features
        return self._run(
            DECODER, {"embedding": features, "positions": positions, "labels": labels}
        )

    def _run(self, graph: str, tensors: dict[str, torch.Tensor]) -> Callable[[], Any]:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        # Its threads would otherwise wait for more work while others are measured.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        session = onnxruntime.InferenceSession(
            self._folder / graph, options, providers=["CPUExecutionProvider"]
        )
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        return lambda: session.run(None, arrays)


def _write(
    network: torch.nn.Module,
    inputs: tuple[torch.Tensor, ...],
    path: Path,
    *,
    names: list[str],
    **shapes: Any,
) -> None:
    # It remarks on packages that are not needed here.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, inputs, path, input_names=names, verbose=False, **shapes
        )
