"""How far each step is from what the machine can do at best."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from speed_parts.networks import PROMPTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn

    from speed_parts.eager_peer import EagerPeer
    from speed_parts.report import Row
    from speed_parts.scene import Scene
    from speed_parts.sides import Side

__all__ = ["Speeds", "Work", "measure_speeds", "roofline", "works"]

MATRIX = 1536
COPIED_BYTES = 2**28
TRIES = 5
LONG_S = 5
STORED_BYTES = 256 * 64 * 64 * 2


@dataclass(frozen=True)
class Speeds:
    """What the machine does at best, with as many threads as torch has.

    Attributes
    ----------
    float32_gflops, bfloat16_gflops : float
        10^9 multiplications and additions per second in a product of matrices.
    copy_gbs : float
        10^9 bytes per second that are read or written in a copy.
    """

    float32_gflops: float
    bfloat16_gflops: float
    copy_gbs: float

    def __str__(self) -> str:
        return (
            f"matrix multiply {self.float32_gflops:.0f} GFLOP/s in float32 and "
            f"{self.bfloat16_gflops:.0f} in bfloat16, memory {self.copy_gbs:.1f} GB/s"
        )

    def to_json(self) -> dict[str, float]:
        """Names and numbers."""
        return asdict(self)


@dataclass(frozen=True)
class Work:
    """What a step cannot do without.

    Attributes
    ----------
    flops : float
        Multiplications and additions; 0 where there are none to speak of.
    bytes : float
        Weights, inputs and outputs in float32, each moved once.
    """

    flops: float
    bytes: float


def measure_speeds(matrix: int = MATRIX) -> Speeds:
    """Multiply square matrices of so many rows and copy, and take the best of a few."""
    source, target = (
        torch.ones(COPIED_BYTES, dtype=torch.uint8),
        torch.zeros(COPIED_BYTES, dtype=torch.uint8),
    )
    copying = _fastest(lambda: target.copy_(source))
    return Speeds(
        _matrix_gflops(matrix, torch.float32),
        _matrix_gflops(matrix, torch.bfloat16),
        2 * COPIED_BYTES / copying / 1e9,
    )


def works(network: EagerPeer, scene: Scene) -> dict[str, Work]:
    """Count, by step, the work of the network as published.

    That of several prompts is per prompt. Propagation has no count.
    """
    decoding = _count(network.decoder, scene.features, *scene.tokens(1))
    cached = Work(0, STORED_BYTES)
    return {
        "encode": _count(network.encoder, scene.pixels),
        **dict.fromkeys(PROMPTS, decoding),
        "cache_write": cached,
        "cache_read": cached,
    }


def roofline(
    rows: Sequence[Row], counts: dict[str, Work], speeds: Speeds, ours: Side
) -> list[dict[str, Any]]:
    """Relate each step of each side to the machine's speeds.

    Returns
    -------
    list of dict
        `step`, `size`, `side`, `gflops`, and percents of the speeds: `of_float32`,
        `of_bfloat16`, `of_memory`.
    """
    seconds = {}
    for row in rows:
        if row.step in counts:
            seconds[row.step, row.size, ours.name] = row.ours_s
            if row.peer and row.peer_s:
                of_peer = "decode" if row.step in PROMPTS else row.step
                seconds[of_peer, row.size, row.peer] = row.peer_s
    return [
        {
            "step": step,
            "size": size,
            "side": name,
            **_shares(counts[step], took, speeds),
        }
        for (step, size, name), took in seconds.items()
    ]


def _shares(work: Work, seconds: float, speeds: Speeds) -> dict[str, float]:
    gflops = work.flops / seconds / 1e9
    return {
        "gflops": gflops,
        "of_float32": 100 * gflops / speeds.float32_gflops,
        "of_bfloat16": 100 * gflops / speeds.bfloat16_gflops,
        "of_memory": 100 * work.bytes / seconds / 1e9 / speeds.copy_gbs,
    }


@torch.no_grad()
def _count(network: nn.Module, *inputs: Tensor) -> Work:
    with FlopCounterMode(display=False) as counter:
        answers = network(*inputs)
    outputs = answers if isinstance(answers, tuple) else (answers,)
    moved = sum(tensor.nbytes for tensor in (*network.parameters(), *inputs, *outputs))
    return Work(counter.get_total_flops(), moved)


def _matrix_gflops(rows: int, dtype: torch.dtype) -> float:
    left, right = (torch.ones(rows, rows, dtype=dtype) for _ in range(2))
    return 2 * rows**3 / _fastest(lambda: left @ right) / 1e9


def _fastest(call: Callable[[], object]) -> float:
    """Seconds of the fastest call, of fewer where one takes long.

    A product in bfloat16 can take many seconds on a processor without units for it.
    """
    seconds = [_seconds(call)]
    while len(seconds) <= TRIES and sum(seconds) < LONG_S:
        seconds.append(_seconds(call))
    return min(seconds)


def _seconds(call: Callable[[], object]) -> float:
    started = perf_counter()
    call()
    return perf_counter() - started
