"""The scripts for SLURM and Nextflow, with a stand-in for the scheduler."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "examples" / "cluster"

PROGRAM = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(ROOT / "tests")!r})
from napari_sam_decoder.cli import main
from napari_sam_decoder.weights import registry
from tiny_network import load_tiny_for_any_name
registry.load_sam = load_tiny_for_any_name
with open({{calls!r}}, "a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
sys.exit(main(sys.argv[1:]))
"""

# Runs what is submitted at once, all tasks of an array one after the other.
SBATCH = """#!/bin/bash
set -e
tasks=
while [[ $1 == --* ]]; do
    case $1 in
        --array=*) range=${1#--array=}; tasks=$(seq ${range%-*} ${range#*-}) ;;
    esac
    shift
done
if [[ -z $tasks ]]; then "$@" >&2; fi
for task in $tasks; do SLURM_ARRAY_TASK_ID=$task "$@" >&2; done
echo 17
"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the scripts are for bash")


@pytest.fixture
def cluster(tmp_path):
    """Run a script as on a node: the movie, the settings and a small network."""
    pixels = np.random.default_rng(0).integers(0, 255, (5, 32, 40)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "movie.tif", pixels, photometric="minisblack")
    (tmp_path / "points.csv").write_text(
        "axis-0,axis-1,axis-2,object_id\n0,8,8,1\n0,20,30,2\n1,24,8,3\n"
    )
    programs = tmp_path / "bin"
    programs.mkdir()
    program = PROGRAM.format(calls=str(tmp_path / "calls"))
    for name, text in (("napari-sam-decoder", program), ("sbatch", SBATCH)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "MOVIE": "movie.tif",
        "POINTS": "points.csv",
        "FRAMES": "5",
        "OBJECTS": "3",
        "FRAMES_PER_TASK": "3",
        "OBJECTS_PER_TASK": "2",
        "CACHE": "embeddings.zarr",
        "PARTS": "parts",
        "LABELS": "labels.zarr",
    }

    def run(script, *arguments, **more):
        return subprocess.run(
            [SCRIPTS / script, *arguments],
            env={**environment, **more},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    return run


def calls(tmp_path):
    return [line.split()[0] for line in (tmp_path / "calls").read_text().splitlines()]


@pytest.mark.slow
def test_a_movie_is_segmented_with_slurm(cluster, tmp_path):
    assert cluster("submit_slurm.sh").split() == ["17"]
    assert calls(tmp_path) == ["embed", "embed", "segment", "segment", "join"]
    frames = [path.name for path in (tmp_path / "embeddings.zarr/frames").glob("c.*")]
    assert sorted(frames) == [f"c.{frame}.0" for frame in range(5)]
    parts = {path.name: zarr.open(path)[:] for path in (tmp_path / "parts").iterdir()}
    assert set(np.unique(parts["objects-1.zarr"])) <= {0, 1, 2}
    assert set(np.unique(parts["objects-3.zarr"])) <= {0, 3}
    first, second = parts["objects-1.zarr"], parts["objects-3.zarr"]
    joined = zarr.open(tmp_path / "labels.zarr")[:]
    np.testing.assert_array_equal(joined, np.where(first > 0, first, second))


@pytest.mark.slow
def test_submitted_again_only_what_is_missing_is_done(cluster, tmp_path):
    cluster("segment_objects.sh", "0")
    cluster("segment_objects.sh", SLURM_ARRAY_TASK_ID="0")
    assert calls(tmp_path) == ["segment"]
    cluster("segment_objects.sh", "1")
    assert calls(tmp_path) == ["segment", "segment"]


def test_nextflow_runs_the_same_scripts_with_all_they_need():
    workflow = (SCRIPTS / "main.nf").read_text()
    named = set(re.findall(r"\$\{projectDir\}/(\w+\.sh)", workflow))
    assert named == {"embed_part.sh", "segment_objects.sh", "join_parts.sh"}
    exported = set(re.findall(r"\b([A-Z_]+)=", workflow))
    for script in named:
        lines = (SCRIPTS / script).read_text().splitlines()
        code = " ".join(line for line in lines if not line.startswith("#"))
        needed = set(re.findall(r"\b[A-Z][A-Z_]+\b", code))
        assert needed - {"SLURM_ARRAY_TASK_ID"} <= exported
        assert (SCRIPTS / script).stat().st_mode & 0o111
