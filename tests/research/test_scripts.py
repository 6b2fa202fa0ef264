"""The scripts run from a clone, from whatever folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RESEARCH = Path(__file__).parents[2] / "research"
# What they import takes long, so one process asks all of them.
ASK_ALL = """
import contextlib, runpy, sys
sys.path[0] = sys.argv[1]
for script in sys.argv[2:]:
    sys.argv = [script, "--help"]
    with contextlib.suppress(SystemExit):
        runpy.run_path(script, run_name="__main__")
"""


@pytest.mark.slow
def test_the_scripts_explain_themselves(tmp_path: Path) -> None:
    scripts = sorted(RESEARCH.glob("*.py"))
    done = subprocess.run(
        [sys.executable, "-c", ASK_ALL, RESEARCH, *scripts],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert scripts
    for script in scripts:
        assert f"usage: {script.name}" in done.stdout
