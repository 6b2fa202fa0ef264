from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from cache_worker import key_of
from napari_sam_decoder.cache import (
    CacheKey,
    Storage,
    array_digest,
    default_location,
)


def test_a_key_survives_json():
    key = replace(key_of(), contrast=(0.1, 1 / 3))
    assert CacheKey.from_json(json.loads(json.dumps(key.to_json()))) == key


def test_a_key_without_a_field_is_no_key():
    stored = key_of().to_json()
    del stored["axes"]
    with pytest.raises(KeyError, match="axes"):
        CacheKey.from_json(stored)


def test_version_1_had_float16_alone():
    stored = key_of().to_json() | {"version": 1}
    del stored["storage"]
    assert CacheKey.from_json(stored).storage is Storage.FLOAT16


def test_a_key_keeps_its_storage():
    for storage in Storage:
        key = key_of(storage=storage)
        assert CacheKey.from_json(json.loads(json.dumps(key.to_json()))) == key


def test_a_storage_that_is_not_known_is_none():
    with pytest.raises(ValueError, match="int3"):
        CacheKey.from_json(key_of().to_json() | {"storage": "int3"})


def test_caches_of_whole_arrays_stay_where_they_were():
    key = CacheKey("m", (0.0, 1.0), 2, (8, 8), "uint8", "TYX", (4, 2, 2))
    # From version 0.2.0, which knew no positions.
    assert default_location(key, [b"a"]).name == "280ec619db5408eb8875302e05c0b5fa.zarr"


def test_a_key_knows_its_position():
    key = replace(key_of(), position="Z=5")
    assert CacheKey.from_json(json.loads(json.dumps(key.to_json()))) == key
    assert key.differences(key_of().to_json()) == [
        "position: the cache has nothing, this job has Z=5"
    ]
    assert default_location(key, []) != default_location(key_of(), [])


def test_equal_keys_have_no_differences():
    assert key_of().differences(key_of().to_json()) == []


def test_each_difference_is_named_with_both_values():
    stored = replace(key_of(), model="other", frame_shape=(3, 4)).to_json()
    assert key_of().differences(stored) == [
        "model: the cache has other, this job has cheap-1",
        "frame shape: the cache has (3, 4), this job has (12, 10)",
    ]


def test_fields_of_another_version_are_differences_too():
    stored = key_of().to_json() | {"tiles": 4}
    assert key_of().differences(stored) == [
        "tiles: the cache has 4, this job has nothing"
    ]


def test_the_digest_has_32_bytes():
    assert len(array_digest(np.zeros((2, 3)))) == 32


@pytest.mark.parametrize(
    "other",
    [
        np.arange(6, dtype=np.uint8).reshape(3, 2),
        np.arange(6, dtype=np.int8).reshape(2, 3),
        np.arange(1, 7, dtype=np.uint8).reshape(2, 3),
    ],
    ids=["shape", "dtype", "values"],
)
def test_the_digest_tells_arrays_apart(other):
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert array_digest(array) != array_digest(other)


def test_the_digest_does_not_depend_on_memory_order():
    array = np.arange(12, dtype=np.uint16).reshape(3, 4)
    assert array_digest(np.asfortranarray(array)) == array_digest(array)
    assert array_digest(array[::2]) == array_digest(array[::2].copy())


def test_booleans_have_a_digest():
    flags = np.array([True, False])
    assert array_digest(flags) != array_digest(~flags)
