import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from label_movies import LABELS, label_movie

from napari_sam_decoder.formats.exchange.tracklets import (
    Places,
    find_tracklets,
    places_of,
)


def test_places_are_centroids_and_areas():
    places = places_of(LABELS[0])
    assert sorted(places) == [1, 2, 7]
    assert (places[1].row, places[1].column, places[1].area) == (8.0, 9.5, 70)


def test_a_frame_without_objects_has_no_places():
    assert places_of(np.zeros((4, 4), np.uint8)) == {}


def test_places_are_collected_frame_by_frame():
    places = Places()
    assert list(places.collect(label_movie())) == list(range(6))
    assert list(places.by_object[7]) == [0, 1, 3, 4, 5]


def test_what_comes_after_a_gap_continues_what_was_before():
    first, second = find_tracklets({7: [0, 1, 3, 4]}, {})
    assert (first.number, first.frames, first.parent) == (7, range(2), 0)
    assert (second.number, second.frames, second.parent) == (8, range(3, 5), 7)


def test_daughters_know_the_tracklet_that_they_come_from():
    tracklets = {
        one.number: one
        for one in find_tracklets({2: [0, 1], 3: [2, 3], 4: [2]}, {3: 2, 4: 2})
    }
    assert tracklets[3].parent == tracklets[4].parent == 2


def test_a_parent_that_goes_on_is_cut_where_a_daughter_begins():
    tracklets = find_tracklets({2: range(6), 3: range(3, 6)}, {3: 2})
    found = [(one.number, one.frames, one.parent) for one in tracklets]
    assert found == [(2, range(3), 0), (3, range(3, 6), 2), (4, range(3, 6), 2)]


def test_a_parent_that_is_never_before_its_daughter_does_not_count():
    tracklets = find_tracklets({2: range(3, 6), 3: range(6)}, {3: 2})
    assert [one.parent for one in tracklets] == [0, 0]


@given(
    st.dictionaries(
        st.integers(1, 6),
        st.sets(st.integers(0, 12), min_size=1).map(sorted),
        min_size=1,
    ),
    st.dictionaries(st.integers(1, 6), st.integers(1, 6)),
)
def test_tracklets_cover_the_objects_once_and_none_overlaps_its_parent(frames, parents):
    tracklets = find_tracklets(frames, parents)
    covered = [(one.object_id, frame) for one in tracklets for frame in one.frames]
    assert sorted(covered) == [
        (key, one) for key in sorted(frames) for one in frames[key]
    ]
    by_number = {one.number: one for one in tracklets}
    assert len(by_number) == len(tracklets)
    for one in tracklets:
        if one.parent:
            assert by_number[one.parent].frames.stop <= one.frames.start
