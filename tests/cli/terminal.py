"""Files of the size of the test movie, and what the terminal shows."""

from __future__ import annotations

import tifffile
import zarr

__all__ = [
    "COLUMNS",
    "FRAMES",
    "ROWS",
    "complaint_of",
    "read_labels",
    "write_stack",
]

FRAMES, ROWS, COLUMNS = 4, 48, 64


def write_stack(path, stack):
    tifffile.imwrite(path, stack, photometric="minisblack", metadata={"axes": "TYX"})


def complaint_of(done):
    """Check that a mistake ended as it should, and return the one line."""
    code, out, err = done
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert "error:" in line
    return line


def read_labels(path):
    return tifffile.imread(path) if path.suffix == ".tif" else zarr.open(path)[:]
