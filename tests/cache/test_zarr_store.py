"""The cache on disk: its format, and whom it refuses."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import zarr

from cache_worker import SHAPE, chunk, key_of, noise
from napari_sam_decoder.cache import Storage, ZarrStore, array_digest
from napari_sam_decoder.errors import CacheCorruptError, CacheMismatchError

DIGEST = array_digest(np.array([1]))
FEATURES = noise(b"features")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache.zarr"


@pytest.fixture
def store(path):
    with ZarrStore.open(path, key_of()) as opened:
        opened.write(0, DIGEST, FEATURES)
        yield opened


def test_it_is_a_zarr_group_with_the_key_in_its_attributes(store, path):
    group = zarr.open_group(path, mode="r", zarr_format=3)
    assert sorted(name for name, _ in group.members()) == ["frames", "packed"]
    assert group.attrs["napari_sam_decoder_cache"] == key_of().to_json()


def test_a_frame_is_one_compressed_chunk_with_a_checksum(store, path):
    frames = zarr.open_group(path, mode="r")["frames"]
    assert frames.shape == (12, 32 + 4 * SHAPE[0] + FEATURES.size)
    assert frames.chunks == (1, frames.shape[1])
    assert frames.shards is None
    assert frames.dtype == np.uint8
    codecs = [codec.to_dict()["name"] for codec in frames.compressors]
    assert codecs == ["blosc", "crc32c"]


def test_a_frame_is_the_digest_of_the_pixels_and_the_packed_embedding(store, path):
    row = zarr.open_group(path, mode="r")["frames"][0].tobytes()
    assert row == DIGEST + key_of().quantizer.quantize(FEATURES).tobytes()


def test_float16_takes_two_bytes_per_value(tmp_path):
    key = key_of(storage=Storage.FLOAT16)
    with ZarrStore.open(tmp_path / "halves.zarr", key) as store:
        store.write(0, DIGEST, FEATURES)
        frames = zarr.open_group(store.path, mode="r")["frames"]
        np.testing.assert_array_equal(
            store.read(0, DIGEST), FEATURES.astype(np.float16)
        )
    assert frames.shape == (12, 32 + 2 * FEATURES.size)


def test_a_frame_without_its_file_is_absent(store):
    chunk(store.path).unlink()
    assert store.present() == set()
    assert store.read(0, DIGEST) is None
    assert store.recorded_digest(0) is None
    assert store.check(0) == "absent"


def test_a_frame_of_zeros_is_none(store):
    with zarr.config.set({"array.write_empty_chunks": True}):
        zarr.open_group(store.path)["frames"][0] = 0
    assert chunk(store.path).exists()
    assert store.recorded_digest(0) is None
    assert store.read(0, bytes(32)) is None
    assert store.check(0) == "corrupt"


def test_files_that_are_no_chunks_are_not_taken_for_frames(store):
    for name in ("c.7.0.partial", "c.7.abc.partial", "c.x.0", "c.99.0", "notes.txt"):
        (store.path / "frames" / name).touch()
    assert store.present() == {0}


# Whom it refuses


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", "vit_h-2"),
        ("contrast", (0.0, 254.0)),
        ("frames", 13),
        ("frame_shape", (12, 11)),
        ("dtype", "uint16"),
        ("axes", "ZYX"),
        ("embedding_shape", (64, 64, 32)),
        ("storage", Storage.FLOAT16),
    ],
)
def test_a_cache_of_another_job_is_refused_with_the_difference(store, field, value):
    other = replace(key_of(), **{field: value})
    with pytest.raises(CacheMismatchError) as caught:
        ZarrStore.open(store.path, other)
    message = str(caught.value)
    named = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    assert f"{field.replace('_', ' ')}: the cache has" in message
    assert named in message
    assert message.count("the cache has") == 1
    assert f"napari-sam-decoder cache clear {store.path}" in message


def test_a_cache_of_another_number_type_names_it(path):
    made = replace(key_of(), model="vit_t sha256:12 float32")
    ZarrStore.open(path, made).close()
    asked = "compute in the precision 'float32', choose another folder"
    with pytest.raises(CacheMismatchError, match=asked):
        ZarrStore.open(path, replace(made, model="vit_t sha256:12 int8"))
    for other in (
        replace(made, model="vit_t sha256:34 int8"),
        replace(made, model="vit_t sha256:12 int8", frames=13),
        replace(made, model="mine"),
    ):
        with pytest.raises(CacheMismatchError) as caught:
            ZarrStore.open(path, other)
        assert "compute in" not in str(caught.value)


def test_a_folder_with_other_files_is_refused_and_left_alone(path):
    path.mkdir()
    (path / "thesis.txt").write_text("results")
    with pytest.raises(CacheMismatchError, match="choose another folder"):
        ZarrStore.open(path, key_of())
    assert [file.name for file in path.iterdir()] == ["thesis.txt"]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("key", [None, {"napari_sam_decoder_cache": "mine"}])
def test_another_zarr_group_is_refused_and_left_alone(path, key):
    zarr.create_group(path, zarr_format=3, attributes=key)
    before = (path / "zarr.json").read_bytes()
    with pytest.raises(CacheMismatchError, match="not an embedding cache"):
        ZarrStore.open(path, key_of())
    assert (path / "zarr.json").read_bytes() == before
    assert [file.name for file in path.iterdir()] == ["zarr.json"]


def test_a_file_is_refused_and_left_alone(path):
    path.write_text("results")
    with pytest.raises(CacheMismatchError, match="exists already"):
        ZarrStore.open(path, key_of())
    assert path.read_text() == "results"


def test_features_of_another_shape_are_refused(store):
    with pytest.raises(CacheMismatchError, match=r"\(1, 64, 64\) does not fit"):
        store.write(1, DIGEST, FEATURES[:1])
    assert store.present() == {0}


def test_what_is_no_cache_cannot_be_opened_as_it_is(tmp_path):
    with pytest.raises(CacheMismatchError, match="check the path"):
        ZarrStore.open_existing(tmp_path)


def test_a_cache_with_an_incomplete_key_cannot_be_opened_as_it_is(store):
    document = json.loads((store.path / "zarr.json").read_text())
    del document["attributes"]["napari_sam_decoder_cache"]["axes"]
    (store.path / "zarr.json").write_text(json.dumps(document))
    with pytest.raises(CacheCorruptError, match="damaged"):
        ZarrStore.open_existing(store.path)


def test_a_cache_of_another_version_cannot_be_opened(store):
    document = json.loads((store.path / "zarr.json").read_text())
    document["attributes"]["napari_sam_decoder_cache"]["version"] = 1
    (store.path / "zarr.json").write_text(json.dumps(document))
    for open_it in (
        lambda: ZarrStore.open_existing(store.path),
        lambda: ZarrStore.open(store.path, key_of()),
    ):
        with pytest.raises(CacheMismatchError, match="by another version"):
            open_it()


def test_an_existing_cache_knows_its_key(store):
    with ZarrStore.open_existing(store.path) as reopened:
        assert reopened.key == key_of()
        assert reopened.check(0) == "ok"
