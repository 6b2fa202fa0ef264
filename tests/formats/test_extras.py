"""Formats whose libraries are installed by extras."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from napari_sam_decoder.errors import MissingExtraError
from napari_sam_decoder.formats import open_movie

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("suffix", "library", "extra"),
    [
        ("nd2", "nd2", "nd2"),
        ("lif", "liffile", "lif"),
        ("czi", "pylibCZIrw.czi", "czi"),
        ("mkv", "av", "video"),
    ],
)
def test_without_the_extra(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    library: str,
    extra: str,
) -> None:
    (tmp_path / f"m.{suffix}").write_bytes(b"pixels")
    monkeypatch.setitem(sys.modules, library, None)

    message = rf'^reading m.{suffix} needs .*pip install "napari-sam-decoder\[{extra}\]'
    with pytest.raises(MissingExtraError, match=message) as caught:
        open_movie(tmp_path / f"m.{suffix}")
    assert "\n" not in str(caught.value)
