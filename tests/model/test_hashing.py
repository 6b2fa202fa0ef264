from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING

import pytest

from napari_sam_decoder.errors import MissingExtraError
from napari_sam_decoder.model.hashing import hash_file

if TYPE_CHECKING:
    from pathlib import Path


def test_sha256_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert hash_file(path) == hashlib.sha256(b"abc").hexdigest()


def test_xxh128_of_nothing(tmp_path: Path) -> None:
    pytest.importorskip("xxhash")
    path = tmp_path / "file"
    path.write_bytes(b"")
    assert hash_file(path, "xxh128") == "99aa06d3014798d86001c324468d497f"


def test_without_xxhash_the_pip_line_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xxhash", None)
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    with pytest.raises(MissingExtraError, match=r"pip install .*\[xxhash\]"):
        hash_file(path, "xxh128")
