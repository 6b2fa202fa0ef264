import numpy as np
import pytest
import zarr
from label_movies import LABELS, PROVENANCE, label_movie, written

from napari_sam_decoder import FormatError, MissingExtraError
from napari_sam_decoder.formats.exchange import geff_file
from napari_sam_decoder.formats.exchange.geff_file import write_geff

geff = pytest.importorskip("geff")


def test_the_graph_is_read_back(tmp_path):
    path = tmp_path / "tracks.geff"
    assert written(write_geff, label_movie(), path) == list(range(6))
    graph, metadata = geff.read(path)
    places = {
        (one["object_id"], one["t"]): number for number, one in graph.nodes(data=True)
    }
    edges = {
        (graph.nodes[one]["object_id"], graph.nodes[other]["object_id"])
        for one, other in graph.edges
    }
    assert len(places) == 6 + 3 + 3 + 3 + 5
    assert edges == {(1, 1), (2, 2), (2, 3), (2, 4), (3, 3), (4, 4), (7, 7)}
    # Over the gap.
    assert graph.has_edge(places[7, 1], places[7, 3])
    first = graph.nodes[places[1, 0]]
    assert (first["y"], first["x"], first["area"]) == (8.0, 9.5, 70)
    assert [axis.scale for axis in metadata.axes] == [3.0, 0.5, 0.25]
    assert zarr.open_group(path).attrs["provenance"] == PROVENANCE


def test_a_movie_without_objects_is_a_graph_without_nodes(tmp_path):
    path = tmp_path / "tracks.geff"
    written(write_geff, label_movie(np.zeros_like(LABELS)), path)
    assert len(geff.read(path)[0]) == 0


def test_an_earlier_graph_is_replaced_and_nothing_else(tmp_path):
    path = tmp_path / "tracks.geff"
    written(write_geff, label_movie(), path)
    written(write_geff, label_movie(LABELS[:1]), path)
    assert len(geff.read(path)[0]) == 3
    other = tmp_path / "other.geff"
    other.mkdir()
    with pytest.raises(FormatError, match="in the way"):
        written(write_geff, label_movie(), other)


def test_the_library_is_named_if_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(geff_file, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"\[geff\]"):
        written(write_geff, label_movie(), tmp_path / "tracks.geff")
