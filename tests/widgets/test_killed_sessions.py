"""Whatever happens to napari, what was done before is in the project."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

pytestmark = [pytest.mark.gui, pytest.mark.slow]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_session_has_lost_no_finished_action():
    script = Path(__file__).with_name("kill_sessions.py")
    done = subprocess.run(
        [sys.executable, script, "5", "60"],
        capture_output=True,
        text=True,
        check=True,
        timeout=250,
    )
    assert done.stdout.strip() == "Counter({0: 5})"
