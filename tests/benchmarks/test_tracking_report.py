from __future__ import annotations

import json

from tracking_parts.report import CORRECTED, MEASURES, Table, means, write_json

KEYS = {"name", "method", "init", "objects", *MEASURES, *CORRECTED}


def row(name="boat", method="full", **values):
    return {
        "name": name,
        "method": method,
        "init": "mask",
        "objects": 1,
        **dict.fromkeys(MEASURES),
        **dict.fromkeys(CORRECTED),
        **values,
    }


ROWS = [
    row(J=80.0, auc=0.9, corrections={"0": 70.0, "5": 90.0}, recomputed={"1": 4}),
    row("bus", J=60.0, corrections={"0": 50.0, "5": None}, recomputed={"1": 2}),
    row("bus", "static", J=10.0),
]


def test_methods_are_averaged_over_sequences():
    full, static = means(ROWS).values()
    assert (full["J"], full["auc"], full["dice"]) == (70, 0.9, None)
    assert full["objects"] == 2
    assert full["corrections"] == {"0": 60, "5": 90}
    assert full["recomputed"] == {"1": 3}
    assert (static["method"], static["J"], static["corrections"]) == (
        "static",
        10,
        None,
    )


def test_json_holds_rows_and_means(tmp_path):
    write_json(tmp_path / "scores.json", ROWS)
    content = json.loads((tmp_path / "scores.json").read_text())
    assert content["sequences"] == ROWS
    assert list(content["means"]) == ["full", "static"]
    assert all(mean.keys() == KEYS for mean in content["means"].values())


def test_the_table_shows_what_there_can_be():
    table = Table(left_out=["dice", "JF_auto"], rounds=[0, 5])
    heading = table.heading()
    assert "Dice" not in heading
    assert heading.split()[:5] == ["sequence", "method", "objects", "J", "F"]
    lines = [table.line(row) for row in ROWS]
    assert {len(line) for line in lines} == {len(heading)}
    assert lines[0].split()[:4] == ["boat", "full", "1", "80.0"]
    assert lines[0].split()[-3:] == ["70.0", "90.0", "4.0"]
    assert lines[2].split()[-3:] == ["-", "-", "-"]


def test_the_table_shows_dice_after_corrections():
    table = Table(left_out=["JF_auto"], rounds=[0, 5])
    assert table.heading().count("Dice") == 3
    corrected = row(
        corrections={"0": 1.0, "5": 2.0}, corrections_dice={"0": 3.0, "5": 4.0}
    )
    cells = table.line(corrected).split()
    assert cells[-5:] == ["1.0", "2.0", "3.0", "4.0", "-"]
