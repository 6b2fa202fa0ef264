import csv
import json

import numpy as np
from label_movies import PROVENANCE, label_movie, written

from napari_sam_decoder.formats import Places, track_table
from napari_sam_decoder.formats.exchange.tracks import provenance_path, write_tracks


def test_tracks_have_no_gaps_and_know_where_they_come_from():
    places = Places()
    list(places.collect(label_movie()))
    table = track_table(places, {3: 2, 4: 2})
    assert table.graph == {3: [2], 4: [2], 8: [7]}
    assert table.data[:2].tolist() == [[1, 0, 8.0, 9.5], [1, 1, 8.0, 10.5]]
    assert set(table.features["object_id"][table.data[:, 0] == 8]) == {7}
    for track in np.unique(table.data[:, 0]):
        frames = table.data[table.data[:, 0] == track, 1]
        assert (np.diff(frames) == 1).all()


def test_a_table_has_a_row_per_object_and_frame(tmp_path):
    path = tmp_path / "tracks.csv"
    assert written(write_tracks, label_movie(), path) == list(range(6))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 + 3 + 3 + 3 + 5
    assert rows[0] == {
        "track_id": "1",
        "t": "0",
        "y": "8.0",
        "x": "9.5",
        "object_id": "1",
        "area": "70",
        "parent": "0",
        "name": "the first",
    }
    assert {row["parent"] for row in rows if row["object_id"] == "3"} == {"2"}
    assert json.loads(provenance_path(path).read_text()) == PROVENANCE
