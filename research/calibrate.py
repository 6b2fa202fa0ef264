"""Measure the ranges that the bundled network needs to multiply int8.

    python research/calibrate.py -o RANGES.json [--scenes N]

On photographs that come with scikit-image, but for those that tests compare masks on,
and on N generated scenes of each kind, 12 by default. It takes two minutes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from calibration_parts.calibration_pictures import calibration_pictures
from calibration_parts.ranges import measure_ranges
from napari_sam_decoder import load_sam
from napari_sam_decoder.weights.calibration import write_ranges


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=12)
    options = parser.parse_args()
    sam = load_sam(device="cpu", precision="float32", decoder="sam")
    ranges = measure_ranges(sam, calibration_pictures(options.scenes))
    write_ranges(options.output, sam.weights, ranges)


if __name__ == "__main__":
    main()
