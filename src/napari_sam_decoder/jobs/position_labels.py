"""Labels of more axes than a movie: those of several positions in one file."""

from __future__ import annotations

import csv
import io
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.formats import (
    LabelSink,
    OpenOptions,
    open_labels,
    open_with_options,
    read_provenance,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_sam_decoder.frames import ArrayLike
    from napari_sam_decoder.jobs.reports import Report

__all__ = ["BY_POSITION", "as_one_table", "has_positions", "write_positions"]

BY_POSITION = ("at", "contrast", "prompts")
"""What of a provenance differs from one position to the next."""


def has_positions(path: Path) -> bool:
    """Whether labels in a file have more axes than those of one movie.

    Raises
    ------
    FormatError
        If the file cannot be read.
    """
    try:
        open_with_options(path, OpenOptions(are_ids=True))
    except FormatError as error:
        try:
            open_with_options(path, OpenOptions(are_ids=True, at={"Z": 0}))
        except FormatError:
            raise error from None
        return True
    return False


def write_positions(
    path: Path, target: Path, parts: Sequence[tuple[Mapping[str, Any], ArrayLike]]
) -> None:
    """Write labels of more axes with some of their positions changed.

    Parameters
    ----------
    path : Path
        The labels as they are.
    target : Path
        Where they go; may be the same.
    parts : sequence of (provenance, (T, Y, X) array-like of int)
        What was made at the positions that have changed, as `record_provenance` notes
        it.

    Raises
    ------
    FormatError
        If they cannot be read or written. The target is then unchanged.
    """
    changed = {tuple(dict(noted["at"]).items()): labels for noted, labels in parts}
    first = dict(parts[0][0]["at"])
    source = open_with_options(path, OpenOptions(are_ids=True, at=first))
    lengths = {one: n for one, n in sorted(source.lengths.items()) if one not in "YX"}
    rows, columns = (source.lengths[letter] for letter in "YX")
    types = (np.dtype(labels.dtype) for labels in changed.values())
    dtype = np.result_type(source.data.dtype, *types)
    shape = (*lengths.values(), rows, columns)
    with LabelSink(target, shape, dtype, axes="".join((*lengths, "YX"))) as sink:
        for numbers in product(*(range(lengths[letter]) for letter in first)):
            place = tuple(zip(first, numbers, strict=True))
            labels = changed.get(place)
            if labels is None:
                labels = open_labels(path, at=dict(place))
            cut = sink.at(dict(place))
            for frame in range(len(cut)):
                cut.write(frame, np.asarray(labels[frame]))
        sink.finish(_joined([noted for noted, _ in parts], read_provenance(path)))


def _joined(
    notes: Sequence[Mapping[str, Any]], earlier: Mapping[str, Any]
) -> dict[str, Any]:
    """Take what is noted now in place of what was noted of these positions before."""
    common = {key: value for key, value in notes[0].items() if key not in BY_POSITION}
    places = [note["at"] for note in notes]
    kept = [one for one in earlier.get("positions", ()) if one.get("at") not in places]
    now = [{key: note[key] for key in BY_POSITION} for note in notes]
    background = {*common["background"], *earlier.get("background", ())}
    whole = {key: earlier[key] for key in ("axes", "scale") if key in earlier}
    return {
        **common,
        **whole,
        "positions": [*kept, *now],
        "background": sorted(background),
    }


def as_one_table(reports: Mapping[str, Report]) -> str:
    """Return the reports of several positions as one table, named in its first column.

    Parameters
    ----------
    reports : mapping of str to Report
        By position, such as "Z=5".
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    for place, (name, report) in enumerate(reports.items()):
        header, *rows = csv.reader(io.StringIO(report.to_csv()))
        if not place:
            writer.writerow(["position", *header])
        writer.writerows([name, *row] for row in rows)
    return table.getvalue()
