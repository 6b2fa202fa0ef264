from __future__ import annotations

import json

from speed_parts.report import HEADING, Row, line, write_json

ROWS = [
    Row("encode", "480x854", 0.8, "eager_fp32", 1.6),
    Row("cache_read", "480x854", 0.002),
]
KEYS = {"step", "size", "ours_s", "peer", "peer_s", "ratio"}


def test_ratio_is_ours_by_the_peers():
    assert [row.ratio for row in ROWS] == [0.5, None]


def test_json_holds_machine_and_rows(tmp_path):
    write_json(tmp_path / "speed.json", {"cpu": "x"}, ROWS)
    content = json.loads((tmp_path / "speed.json").read_text())
    assert content["machine"] == {"cpu": "x"}
    compared, alone = content["rows"]
    assert compared.keys() == alone.keys() == KEYS
    assert compared["ratio"] == 0.5
    assert (alone["peer"], alone["peer_s"], alone["ratio"]) == (None, None, None)


def test_lines_stand_under_the_heading():
    lines = [line(row) for row in ROWS]
    assert {len(text) for text in lines} == {len(HEADING)}
    expected = ["encode", "480x854", "800.0", "eager_fp32", "1600.0", "0.500"]
    assert lines[0].split() == expected
    assert lines[1].split() == ["cache_read", "480x854", "2.0", "-", "-", "-"]
