"""Rows of the encoder and the decoder, ours against each peer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speed_parts.report import Row
from speed_parts.timing import Effort, alternate, warm_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from speed_parts.scene import Scene
    from speed_parts.sides import Side

__all__ = ["PROMPTS", "network_rows"]

PROMPTS = {"decode": 1, "decode_4": 4, "decode_16": 16}
"""How many prompts are decoded together, by step."""

ENCODING = Effort(rounds=7, seconds=30)
DECODING = {
    "decode": Effort(rounds=15, seconds=8),
    "decode_4": Effort(rounds=9, seconds=10),
    "decode_16": Effort(rounds=7, seconds=15),
}


def network_rows(ours: Side, peers: Sequence[Side], scene: Scene) -> Iterator[Row]:
    """Measure encoder and decoder on one frame.

    Parameters
    ----------
    ours : Side
        The program.
    peers : sequence of Side
        With whom it is compared.
    scene : Scene
        The frame, and what is asked about it.

    Yields
    ------
    Row
        Per step and peer. Of several prompts it is our seconds for each of them, and
        the peer's for one prompt alone.
    """
    encoding = {peer.name: peer.encoding(scene) for peer in peers}
    times = _measure(ours.encoding(scene), encoding, ENCODING)
    yield from _rows("encode", scene.size, times)
    decoding = {peer.name: peer.decoding(scene, 1) for peer in peers}
    for step, count in PROMPTS.items():
        own, others = _measure(ours.decoding(scene, count), decoding, DECODING[step])
        yield from _rows(step, scene.size, (own / count, others))


def _measure(
    ours: Callable[[], object],
    peers: Mapping[str, Callable[[], object]],
    effort: Effort,
) -> tuple[float, dict[str, float]]:
    calls = {"": ours, **peers}
    warm_up(calls)
    times = alternate(calls, effort)
    return times.pop(""), times


def _rows(step: str, size: str, times: tuple[float, dict[str, float]]) -> Iterator[Row]:
    own, others = times
    for peer, seconds in others.items():
        yield Row(step, size, own, peer, seconds)
