from __future__ import annotations

import zlib

import pytest

from napari_sam_decoder.errors import ProjectError
from napari_sam_decoder.project.compression import decompress_bounded


@pytest.mark.parametrize("content", [b"", b"x", b"abc" * 1000])
def test_what_fits_the_limit_is_unpacked(content):
    assert decompress_bounded(zlib.compress(content), len(content)) == content


@pytest.mark.parametrize("limit", [0, 1, 999])
def test_a_bomb_is_refused(limit):
    with pytest.raises(ProjectError, match="backup"):
        decompress_bounded(zlib.compress(bytes(1000)), limit)


@pytest.mark.parametrize("content", [b"", b"no zlib", zlib.compress(b"abc" * 99)[:-2]])
def test_damage_is_named(content):
    with pytest.raises(ProjectError, match="damaged"):
        decompress_bounded(content, 10_000)
