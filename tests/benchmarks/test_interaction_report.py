from __future__ import annotations

import json

import pytest
from interaction_parts.attempt import Attempt
from interaction_parts.report import heading, line, means, scores, write_json


def row_of(name, *attempts, method="ours"):
    parts = {"name": name, "method": method, "protocol": "clicks"}
    return parts | scores(attempts)


FIRST = row_of(
    "one",
    Attempt((0.5, 0.86, 0.8), (0.1, 0.2, 0.3)),
    Attempt((0.9,), (0.4,)),
)
SECOND = row_of("two", Attempt((0.2,) * 10, (0.01,) * 10))


def test_a_sequence_is_scored_over_its_objects():
    assert FIRST["objects"] == 2
    assert FIRST["iou"] == pytest.approx({"1": 70, "2": 88, "3": 85, "5": 85, "10": 85})
    assert (FIRST["noc80"], FIRST["noc85"], FIRST["noc90"]) == (1.5, 1.5, 6)
    assert FIRST["worse"] == 50
    assert FIRST["ms"] == pytest.approx(250)
    assert (SECOND["worse"], SECOND["noc80"]) == (0, 11)


def test_without_a_second_action_none_can_make_it_worse():
    row = row_of("done", Attempt((1.0,), (0.1,)))
    assert row["worse"] is None
    assert " - " in line(row)


def test_means_weigh_sequences_alike():
    other = row_of("one", Attempt((0.3,), (0.1,)), method="sam")
    found = means([FIRST, other, SECOND])
    assert list(found) == ["ours", "sam"]
    ours = found["ours"]
    assert (ours["objects"], ours["protocol"]) == (3, "clicks")
    assert ours["iou"]["1"] == pytest.approx(45)
    assert ours["noc85"] == 6.25
    assert ours["worse"] == 25
    assert found["sam"]["worse"] is None


def test_the_json_has_these_keys(tmp_path):
    write_json(tmp_path / "out.json", [FIRST, SECOND])
    content = json.loads((tmp_path / "out.json").read_text())
    keys = [
        "name",
        "method",
        "protocol",
        "objects",
        "iou",
        "noc80",
        "noc85",
        "noc90",
        "worse",
        "ms",
    ]
    assert [list(row) for row in content["sequences"]] == [keys, keys]
    assert list(content["means"]["ours"]) == keys


def test_the_table_is_aligned():
    lines = [heading(), line(FIRST), line(means([FIRST, SECOND])["ours"])]
    assert len({len(one) for one in lines}) == 1
    assert lines[1].split()[:4] == ["one", "ours", "2", "70.0"]
    assert lines[2].split()[0] == "mean"
