"""Measure how fast each step is, by turns with the network as published.

    python benchmarks/speed.py [--precision NAME] [--scaling] [--json OUT]

There is a row per step, frame size and peer with the median of ours, that of the peer,
and ours divided by the peer's: below 1 we are faster. All are called by turns in one
run, on the CPU, with as many threads as torch has. It takes up to ten minutes, on a
machine that should do nothing else.

encode
    A frame to its embedding. Ours is the whole of ``Sam.encode``, resizing included;
    the peers get a frame that is resized and normalised already.
decode, decode_4, decode_16
    Prompts, a click each, to three hypotheses and the single mask at 256 x 256, prompt
    encoder included. Of 4 and 16 prompts that are decoded together it is our time for
    each of them, against the peer's for one prompt alone. Each call of ours gets an
    embedding that it has not seen; the peers get theirs as a tensor.
embed
    A frame of a movie into a cache on disk, all included, frames side by side.
cache_write, cache_read
    One embedding into a cache on disk, and from there, checked against the pixels.
propagate, propagate_10
    A frame of a movie from a warm cache, all included, with one object and with ten.
propagate_new
    A frame of a movie that is not embedded yet, embedding included, with one object.
start
    A fresh process that runs ``segment`` on a new movie of two frames with one point,
    from its start to its end. The peer is one that imports torch and ends. A line tells
    how long it takes besides embedding two frames, as ``encode`` does.

The peer ``eager_fp32`` is MobileSAM in plain PyTorch and float32: BatchNorms unfused,
attention in single steps, the embedding repeated for each prompt. It shares no code
with the program, but its weights. ``onnxruntime`` runs the graphs exported from it, and
is left out if its packages are missing: ``pip install napari-sam-decoder[speed]``.

Peak memory is that of a process that loads one side and calls it once, and how much
that added to what Python and torch take. The roofline relates the work of the published
network, in multiplications and additions, to the speed of a large matrix product, and
the bytes of weights, inputs and outputs to that of a copy in memory. Above 100 % of
float32 means that fewer or cheaper sums do the same.

To see a processor without newer units, set ``ONEDNN_MAX_CPU_ISA=AVX2`` and
``ATEN_CPU_CAPABILITY=avx2``, or for one with products of int8 but not of bfloat16
``ONEDNN_MAX_CPU_ISA=AVX512_CORE_VNNI`` and ``--precision int8`` or ``float32``.
onnxruntime heeds none of these. The JSON holds the rows with seconds instead of
milliseconds, and under ``machine`` what the processor offers, the number type that ours
computes in, memory and roofline.

With ``--scaling``, a tiny random network is carried through movies of up to 10,000
frames and with up to 64 objects, in about ten minutes more; times are per frame.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from speed_parts.eager_peer import EagerPeer
from speed_parts.machine import describe
from speed_parts.memory import peaks
from speed_parts.movies import OBJECTS, movie_rows
from speed_parts.networks import network_rows
from speed_parts.onnx_peer import OnnxPeer, export, missing_packages
from speed_parts.report import HEADING, Row, line, write_json
from speed_parts.roofline import measure_speeds, roofline, works
from speed_parts.scaling import frame_rows, growth, object_rows
from speed_parts.scene import Scene
from speed_parts.sides import Ours
from speed_parts.start import FRAMES, STEP, start_rows

from napari_sam_decoder import load_sam

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from speed_parts.sides import Side

SIZES = (480, 854), (1024, 1024)

Machine = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row per step and peer, and what puts them into proportion."""
    options = _parser().parse_args(arguments)
    with TemporaryDirectory() as graphs:
        machine, rows = compare(Path(graphs), options.precision)
    if options.scaling:
        rows += scale()
    if options.json:
        write_json(options.json, machine, rows)


def compare(graphs: Path, precision: str) -> tuple[Machine, list[Row]]:
    """Measure all steps; graphs for the peer are kept in a folder."""
    ours, eager = Ours(load_sam(device="cpu", precision=precision)), EagerPeer()
    peers = [eager, *_graph_peers(eager, graphs)]
    machine = describe(ours.sam)
    print(_in_words(machine))
    print(HEADING, flush=True)
    rows = []
    scenes = [Scene.of(size) for size in SIZES]
    for scene in scenes:
        rows += _shown(network_rows(ours, peers, scene))
    rows += _shown(movie_rows(ours.sam, SIZES[0]))
    _show_pace(rows)
    rows += _shown(start_rows(SIZES[0], precision))
    _show_start(rows)
    names = [ours.name, *(peer.name for peer in peers)]
    machine["memory"] = _show_memory(peaks(names, graphs, precision))
    speeds = measure_speeds()
    shares = roofline(rows, works(eager, scenes[0]), speeds, ours)
    _show_roofline(str(speeds), shares)
    return {**machine, "speeds": speeds.to_json(), "roofline": shares}, rows


def scale() -> list[Row]:
    """Measure how the cost grows."""
    rows = []
    for part in (frame_rows(), object_rows()):
        measured = _shown(part)
        print(growth(measured), flush=True)
        rows += measured
    return rows


def _graph_peers(eager: EagerPeer, graphs: Path) -> list[Side]:
    missing = missing_packages()
    if missing:
        print(f"onnxruntime is skipped: {', '.join(missing)} not installed")
        return []
    export(eager, graphs)
    return [OnnxPeer(graphs)]


def _shown(rows: Iterable[Row]) -> list[Row]:
    """Print rows as they come."""
    kept = []
    for row in rows:
        print(line(row), flush=True)
        kept.append(row)
    return kept


def _in_words(machine: Machine) -> str:
    limits = [f"{name}={value}" for name, value in machine["limits"].items()]
    return (
        f"{machine['cpu']}, threads: {machine['threads']}, offers "
        f"{' '.join(machine['offers']) or 'nothing known'}; torch uses "
        f"{machine['torch_uses']}; ours computes in {machine['precision']}"
        + "".join(f"; {limit}" for limit in limits)
    )


def _show_pace(rows: Iterable[Row]) -> None:
    for row in rows:
        if row.step in OBJECTS:
            count, pace = OBJECTS[row.step], 1 / row.ours_s
            print(
                f"{row.step}: {pace:.2f} frames/s, objects {count}, "
                f"{count * pace:.2f} object-frames/s"
            )


def _show_start(rows: Iterable[Row]) -> None:
    """Compare the start with the embedding of its frames alone."""
    sized = [row for row in rows if row.size == "{}x{}".format(*SIZES[0])]
    seconds = {row.step: row.ours_s for row in sized}
    embedding = FRAMES * seconds["encode"]
    print(
        f"{STEP}: {seconds[STEP]:.2f} s, of which {embedding:.2f} s are the embedding "
        f"of {FRAMES} frames and {seconds[STEP] - embedding:.2f} s all else"
    )


def _show_memory(
    memory: dict[str, dict[str, dict[str, float]]],
) -> dict[str, dict[str, dict[str, float]]]:
    for step, by_side in memory.items():
        texts = [
            f"{name} {found['peak_mb']:.0f} MB (adds {found['added_mb']:.0f})"
            for name, found in by_side.items()
        ]
        print(f"peak memory, {step}: {', '.join(texts)}", flush=True)
    return memory


def _show_roofline(speeds: str, shares: Iterable[dict[str, Any]]) -> None:
    print(f"this machine: {speeds}")
    for share in shares:
        sums = (
            f"{share['gflops']:.0f} GFLOP/s, {share['of_float32']:.0f} % of float32, "
            f"{share['of_bfloat16']:.0f} % of bfloat16, "
        )
        print(
            f"roofline {share['step']:12}{share['size']:10}{share['side']:12}"
            f"{sums if share['gflops'] else ''}{share['of_memory']:.1f} % of memory"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--precision", default="auto", metavar="NAME", help="of ours, as for segment")
    add("--scaling", action="store_true", help="show how the cost grows; ten minutes")
    add("--json", type=Path, metavar="OUT", help="file for all figures")
    return parser


if __name__ == "__main__":
    main()
