"""How an embedding becomes bytes and what is lost by it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.cache import Quantizer, Storage
from napari_sam_decoder.errors import DecodingError, OptionError

SHAPE = (3, 4, 5)
SCALES = np.array([0.01, 1, 300], np.float32)


@pytest.fixture
def features():
    rng = np.random.default_rng(0)
    values = rng.standard_normal(SHAPE, dtype=np.float32)
    return values * SCALES[:, None, None]


@pytest.mark.parametrize(("storage", "size"), [("int8", 12 + 60), ("float16", 120)])
def test_every_embedding_takes_the_same_bytes(features, storage, size):
    quantizer = Quantizer(SHAPE, Storage(storage))
    packed = quantizer.quantize(features)
    assert (packed.dtype, packed.shape, quantizer.nbytes) == (np.uint8, (size,), size)


def test_int8_is_at_most_half_a_step_off_in_each_channel(features):
    quantizer = Quantizer(SHAPE)
    steps = np.abs(features).max(axis=(1, 2)) / 127
    off = np.abs(quantizer.dequantize(quantizer.quantize(features)) - features).max(
        axis=(1, 2)
    )
    assert (off <= 0.5001 * steps).all()
    assert (off > 0.1 * steps).all()


def test_the_largest_value_of_a_channel_is_kept(features):
    quantizer = Quantizer(SHAPE)
    kept = np.abs(quantizer.dequantize(quantizer.quantize(features))).max(axis=(1, 2))
    np.testing.assert_allclose(kept, np.abs(features).max(axis=(1, 2)), rtol=1e-6)


def test_a_channel_of_zeros_stays_one(features):
    features[1] = 0
    quantizer = Quantizer(SHAPE)
    kept = quantizer.dequantize(quantizer.quantize(features))
    assert not kept[1].any()
    assert kept[0].any()


def test_float16_is_rounded_only(features):
    quantizer = Quantizer(SHAPE, Storage.FLOAT16)
    kept = quantizer.dequantize(quantizer.quantize(features))
    np.testing.assert_array_equal(kept, features.astype(np.float16))


@pytest.mark.parametrize("storage", Storage)
def test_what_was_rounded_once_stays_as_it_is(features, storage):
    quantizer = Quantizer(SHAPE, storage)
    once = quantizer.quantize(features)
    np.testing.assert_array_equal(quantizer.quantize(quantizer.dequantize(once)), once)


@pytest.mark.parametrize("storage", Storage)
def test_memory_order_and_type_do_not_matter(features, storage):
    quantizer = Quantizer(SHAPE, storage)
    expected = quantizer.quantize(features)
    for same in (np.asfortranarray(features), features.astype(np.float64)):
        np.testing.assert_array_equal(quantizer.quantize(same), expected)


@pytest.mark.parametrize("storage", Storage)
def test_packed_and_unpacked_are_copies(features, storage):
    quantizer = Quantizer(SHAPE, storage)
    given = features.astype(storage.value if storage == "float16" else "float32")
    packed = quantizer.quantize(given)
    before = packed.copy()
    given[:] = 0
    quantizer.dequantize(packed)[:] = 0
    np.testing.assert_array_equal(packed, before)


def test_bytes_that_lie_askew_can_be_unpacked(features):
    quantizer = Quantizer(SHAPE)
    packed = quantizer.quantize(features)
    askew = np.concatenate([[np.uint8(0)], packed])[1:]
    np.testing.assert_array_equal(
        quantizer.dequantize(askew), quantizer.dequantize(packed)
    )


@pytest.mark.parametrize("storage", Storage)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(features, storage, value):
    features[2, 1, 1] = value
    with pytest.raises(DecodingError, match="not finite; compute in float32"):
        Quantizer(SHAPE, storage).quantize(features)


def test_a_storage_goes_by_its_name():
    assert Storage.of("float16") is Storage.FLOAT16
    with pytest.raises(OptionError, match="'float8'; choose one of int8, float16"):
        Storage.of("float8")
