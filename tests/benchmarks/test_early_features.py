from __future__ import annotations

import re
from typing import TYPE_CHECKING

import early_features

if TYPE_CHECKING:
    import pytest


def test_windows_are_seen_and_the_whole_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(early_features, "TURNS", 1)
    early_features.main()
    *seen, kept = capsys.readouterr().out.splitlines()
    assert [line.split(" cells")[0] for line in seen] == [
        "seen: 10 x 10",
        "seen: 20 x 20",
        "seen: the whole",
    ]
    megabytes = re.match(r"kept: (\d+\.\d) MB", kept)
    assert megabytes is not None
    # Of 64 channels of 144 x 256 values of one byte each.
    assert 0.5 < float(megabytes[1]) < 64 * 144 * 256 / 1e6
