"""Draw the plot of the page on speed from what the benchmark has measured.

    python benchmarks/speed.py --scaling --json speed.json
    python docs/draw_speed.py speed.json

Needs matplotlib, which comes with ``pip install napari-sam-decoder[speed]``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = dict[str, Any]

TARGET = Path(__file__).parent / "images" / "speed.png"
SIZE = "480x854"
STEPS = {
    "encode": "a frame\nembedded",
    "decode": "a prompt\ndecoded",
    "decode_4": "each of\n4 prompts",
    "decode_16": "each of\n16 prompts",
}
PEERS = {"onnxruntime": "#b8bcc4", "napari-sam-decoder": "#2f6fb5"}
BAR_WIDTH = 0.38


def main() -> None:
    """Put the two halves side by side."""
    rows: list[Row] = json.loads(Path(sys.argv[1]).read_text())["rows"]
    figure, (steps, growth) = plt.subplots(
        1, 2, figsize=(9, 3.2), width_ratios=(3, 2), layout="constrained"
    )
    draw_steps(steps, rows)
    draw_growth(growth, [row for row in rows if row["step"] == "scale_frames"])
    figure.savefig(TARGET, dpi=150)


def draw_steps(axes: Axes, rows: list[Row]) -> None:
    """Draw time relative to that of the plain network."""
    plain, graph = (
        {row["step"]: row for row in rows if (row["size"], row["peer"]) == (SIZE, peer)}
        for peer in ("eager_fp32", "onnxruntime")
    )
    shares = {
        "onnxruntime": [graph[s]["peer_s"] / plain[s]["peer_s"] for s in STEPS],
        "napari-sam-decoder": [plain[s]["ratio"] for s in STEPS],
    }
    for place, (name, colour) in enumerate(PEERS.items()):
        middles = [step + (place - 0.5) * BAR_WIDTH for step in range(len(STEPS))]
        bars = axes.bar(middles, shares[name], BAR_WIDTH, label=name, color=colour)
        axes.bar_label(bars, fmt="%.2f", fontsize=8, padding=2)
    axes.axhline(1, color="0.3", linewidth=1, linestyle="--")
    axes.annotate("plain PyTorch, float32", (3.45, 1.02), ha="right", fontsize=8)
    axes.set_xticks(range(len(STEPS)), STEPS.values())
    axes.set_ylim(0, 1.15)
    axes.set_ylabel("time, relative")
    axes.set_title("Less is faster", fontsize=10)
    axes.legend(frameon=False, fontsize=8, loc="upper right", bbox_to_anchor=(1, 0.85))
    axes.spines[["top", "right"]].set_visible(False)


def draw_growth(axes: Axes, rows: list[Row]) -> None:
    """Draw the time per frame over the length of the movie."""
    lengths = [int(row["size"].split("=")[1]) for row in rows]
    times = [1000 * row["ours_s"] for row in rows]
    axes.plot(lengths, times, "o-", color=PEERS["napari-sam-decoder"])
    axes.set_xscale("log")
    axes.set_xticks(lengths, [f"{length:,}" for length in lengths])
    axes.minorticks_off()
    axes.set_ylim(0, 1.3 * max(times))
    axes.set_xlabel("frames of the movie")
    axes.set_ylabel("ms per frame")
    axes.set_title("Our own work does not grow with the movie", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
