"""The measures of the Cell Tracking Challenge, as its own py-ctcmetrics computes them.

Neither truth nor results have parent edges: the data do not say what has divided.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tifffile

from napari_sam_decoder.formats.exchange.tracklets import find_tracklets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.formats.exchange.tracklets import Tracklet

__all__ = ["Measures", "measure"]


class Measures(NamedTuple):
    """How good labels are that are carried through a movie.

    Attributes
    ----------
    seg, det, tra : float
        0..1 each: segmentation, detection, and detection with tracking.
    """

    seg: float
    det: float
    tra: float


def measure(labels: np.ndarray, truth: np.ndarray) -> Measures:
    """Compare (T, Y, X) labels with the truth.

    Raises
    ------
    ImportError
        Without the extra ``measures``.
    """
    from ctc_metrics.scripts.evaluate import evaluate_sequence

    if not labels.any():
        # The evaluator refuses it.
        return Measures(0, 0, 0)
    with TemporaryDirectory() as folder:
        found, true = Path(folder, "01_RES"), Path(folder, "01_GT")
        _write(found, labels, "mask", "res_track.txt")
        _write(true / "TRA", truth, "man_track", "man_track.txt")
        _write(true / "SEG", truth, "man_seg")
        with contextlib.redirect_stdout(io.StringIO()):
            values = evaluate_sequence(
                str(found), str(true), metrics=["SEG", "DET", "TRA"], threads=1
            )
    return Measures(values["SEG"], values["DET"], values["TRA"])


def _write(folder: Path, labels: np.ndarray, stem: str, table: str = "") -> None:
    """Write frames as the challenge names them, and the table of tracks."""
    folder.mkdir(parents=True)
    tracklets = _tracklets(labels)
    for frame, plane in enumerate(labels):
        tracks = np.zeros(plane.shape, np.uint16)
        for one in tracklets:
            if frame in one.frames:
                tracks[plane == one.object_id] = one.number
        tifffile.imwrite(folder / f"{stem}{frame:03}.tif", tracks)
    if table:
        lines = (
            f"{one.number} {one.frames.start} {one.frames.stop - 1} 0\n"
            for one in tracklets
        )
        (folder / table).write_text("".join(lines), encoding="ascii")


def _tracklets(labels: np.ndarray) -> Sequence[Tracklet]:
    """Cut objects where they are missing: a track of the challenge has no gap."""
    frames: dict[int, list[int]] = {}
    for frame, plane in enumerate(labels):
        for object_id in np.unique(plane[plane > 0]).tolist():
            frames.setdefault(object_id, []).append(frame)
    return find_tracklets(frames, {})
