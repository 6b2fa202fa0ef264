"""The scripts run from a clone, from whatever folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RESEARCH = Path(__file__).parents[2] / "research"


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted(RESEARCH.glob("*.py")), ids=lambda p: p.name)
def test_a_script_explains_itself(script: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, script, "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert script.name in done.stdout
