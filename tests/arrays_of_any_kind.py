"""Arrays as people have them, for property tests, beside plain ones of the same values.

Values are drawn in the plain order of numpy; what is tested gets them in another byte
order, memory layout or library.
"""

from __future__ import annotations

import tempfile
from typing import Any

import dask.array as da
import numpy as np
import torch
import zarr
from hypothesis import strategies as st

__all__ = ["HOLDERS", "LAYOUTS", "held", "values", "whole_numbers"]

DTYPES = ("?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8")
LAYOUTS = ("C", "F", "reversed", "every second", "read-only", "repeated", "mapped")
HOLDERS = ("numpy", "dask", "zarr", "torch", "list")

_ODD = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, 1e38, -1e38, 1e308, -1e308)


@st.composite
def values(draw: Any, shapes: Any, dtypes: Any = DTYPES) -> np.ndarray:
    """Draw a plain array: all of one value, of any, or with some that are no number."""
    shape = draw(shapes)
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    seed = draw(st.integers(0, 2**32 - 1))
    kind = draw(st.sampled_from(["constant", "any", "few", "odd"]))
    chance = np.random.default_rng(seed)
    if dtype.kind in "fc":
        array = chance.normal(0, 100, shape)
        if kind == "odd":
            odd = draw(st.lists(st.sampled_from(_ODD), min_size=1, max_size=4))
            array = np.where(
                chance.random(shape) < 0.5, chance.choice(odd, shape), array
            )
    else:
        info = np.iinfo(dtype) if dtype.kind in "ui" else None
        low, high = (0, 1) if info is None else (info.min, info.max)
        drawn = np.dtype("u1") if info is None else dtype
        array = chance.integers(low, high, shape, drawn, endpoint=True)
    if kind == "constant":
        array = np.full(shape, array.flat[0] if array.size else 0)
    if kind == "few":
        array = array * (chance.random(shape) < 0.1)
    with np.errstate(all="ignore"):
        return np.ascontiguousarray(array).astype(dtype)


@st.composite
def whole_numbers(draw: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Draw labels with some ids that their type holds."""
    dtype = np.dtype(draw(st.sampled_from(["u1", "i2", "u2", "u4", "i8", "u8"])))
    ids = draw(st.lists(st.integers(0, 120), min_size=1, max_size=4))
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return chance.choice(ids, shape).astype(dtype)


def held(plain: np.ndarray, order: str, layout: str, holder: str = "numpy") -> Any:
    """Hold the values of a plain array in a byte order, a layout and a library."""
    array = plain.astype(plain.dtype.newbyteorder(order))
    if layout == "F":
        array = np.asfortranarray(array)
    elif layout == "reversed":
        back = (slice(None, None, -1),) * array.ndim
        array = array[back].copy()[back]
    elif layout == "every second" and array.ndim:
        array = np.repeat(array, 2, -1)[..., ::2]
    elif layout == "read-only":
        array.flags.writeable = False
    elif layout == "repeated" and array.size and (array == array.flat[0]).all():
        array = np.broadcast_to(array.flat[0], array.shape)
    elif layout == "mapped" and array.size:
        array = _mapped(array)
    return _in_library(array, holder)


def _mapped(array: np.ndarray) -> np.ndarray:
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file.name, array)
        mapped: np.ndarray = np.load(file.name, mmap_mode="r")
        return mapped


def _in_library(array: np.ndarray, holder: str) -> Any:
    if holder == "dask":
        return da.from_array(array, chunks=-1)
    if holder == "zarr" and array.dtype.kind in "buif" and array.ndim and array.size:
        found = zarr.create_array(
            zarr.storage.MemoryStore(),
            shape=array.shape,
            dtype=array.dtype,
            chunks=array.shape,
            zarr_format=2,
        )
        found[...] = array
        return found
    if holder == "torch":
        native = array.astype(array.dtype.newbyteorder("="))
        return torch.from_numpy(np.ascontiguousarray(native))
    if holder == "list" and array.size:
        return list(array)
    return array
