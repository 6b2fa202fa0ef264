from __future__ import annotations

import project_file


def test_a_small_project_is_measured(monkeypatch, capsys):
    arguments = ["project_file.py", "--events", "60", "--frames", "12"]
    monkeypatch.setattr("sys.argv", [*arguments, "--objects", "2"])
    project_file.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == [
        "events",
        "compressing",
        "handing over",
        "size",
        "opening",
    ]
    assert lines[-1] == "labels are the same"
