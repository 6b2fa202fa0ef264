"""What is made and then marked survives a kill at any moment in between."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kill_everywhere import JOBS

WORKER = Path(__file__).with_name("kill_everywhere.py")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")

OTHERS = sorted(JOBS.keys() - {"Finish"})


@pytest.mark.parametrize(
    "job", ["Finish", *(pytest.param(job, marks=pytest.mark.slow) for job in OTHERS)]
)
def test_a_kill_at_any_touch_of_the_disk_blocks_nothing(tmp_path, job):
    done = subprocess.run(
        [sys.executable, WORKER, job, tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 2
