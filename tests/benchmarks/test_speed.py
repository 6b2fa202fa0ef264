from __future__ import annotations

import json
from functools import partial

import pytest
import speed
from speed_parts.machine import describe
from speed_parts.memory import peak_mb, peaks
from speed_parts.movies import movie_rows
from speed_parts.report import Row
from speed_parts.roofline import Speeds, Work, measure_speeds, roofline
from speed_parts.scene import Scene
from speed_parts.sides import OURS, Ours

STEPS = {"encode", "decode", "decode_4", "decode_16"}
SPEEDS = Speeds(float32_gflops=100, bfloat16_gflops=400, copy_gbs=10)
WORKS = {"encode": Work(50e9, 1e9), "decode": Work(5e9, 0), "decode_4": Work(5e9, 0)}


class Side:
    """Does nothing, and notes what it was asked for."""

    def __init__(self, name, sam=None):
        self.name, self.sam, self.counts = name, sam, []

    def encoding(self, scene):
        return lambda: scene.frame

    def decoding(self, scene, count):
        self.counts.append(count)
        return lambda: scene.tokens(count)


@pytest.fixture
def quick(monkeypatch, tiny_sam):
    """All that takes long does next to nothing."""
    ours, eager = Side(OURS, tiny_sam), Side("eager_fp32")
    memory = {"encode": {OURS: {"peak_mb": 500.0, "added_mb": 60.0}}}
    replacements = {
        "load_sam": lambda **_: tiny_sam,
        "Ours": lambda _: ours,
        "EagerPeer": lambda: eager,
        "missing_packages": lambda: ["onnx", "onnxscript"],
        "movie_rows": lambda _, size: [Row("propagate_10", str(size[0]), 0.5)],
        "start_rows": lambda *_: [Row("start", "480x854", 4.0, "import_torch", 2.0)],
        "peaks": lambda *_: memory,
        "measure_speeds": lambda: SPEEDS,
        "works": lambda *_: WORKS,
        "frame_rows": partial(iter, [Row("scale_frames", "frames=1", 1.0)]),
        "object_rows": partial(iter, [Row("scale_objects", "objects=1", 1.0)]),
    }
    for name, replacement in replacements.items():
        monkeypatch.setattr(speed, name, replacement)
    return ours, eager


def test_figures_are_as_promised(quick, tmp_path, capsys):
    out = tmp_path / "speed.json"
    speed.main(["--json", str(out)])
    content = json.loads(out.read_text())
    steps = {(row["step"], row["size"]) for row in content["rows"]}
    assert steps == {
        *((step, size) for step in STEPS for size in ("480x854", "1024x1024")),
        ("propagate_10", "480"),
        ("start", "480x854"),
    }
    peers = {"propagate_10": None, "start": "import_torch"}
    for row in content["rows"]:
        assert row["peer"] == peers.get(row["step"], "eager_fp32")
        assert row["ours_s"] > 0
    machine = content["machine"]
    assert machine["precision"] == "float32"
    assert machine["memory"]["encode"][OURS]["added_mb"] == 60
    assert machine["speeds"] == SPEEDS.to_json()
    printed = capsys.readouterr().out
    assert "onnxruntime is skipped: onnx, onnxscript" in printed
    assert "propagate_10: 2.00 frames/s, objects 10, 20.00 object-frames/s" in printed
    assert "start: 4.00 s, of which 0.00 s are the embedding of 2 frames" in printed
    assert "peak memory, encode: ours 500 MB (adds 60)" in printed
    assert "scale_frames" not in printed


def test_movies_give_rows_without_peers(tiny_sam):
    rows = list(movie_rows(tiny_sam, (48, 64), frames=2))
    steps = ["embed", "cache_write", "cache_read", "propagate_new"]
    steps += ["propagate", "propagate_10"]
    assert [(row.step, row.size) for row in rows] == [(step, "48x64") for step in steps]
    assert all(row.ours_s > 0 and row.peer is None for row in rows)


def test_the_peer_always_gets_one_prompt(quick):
    speed.main([])
    ours, eager = quick
    assert ours.counts == [1, 4, 16] * 2
    assert set(eager.counts) == {1}


def test_scaling_is_added_when_asked_for(quick, tmp_path):
    out = tmp_path / "speed.json"
    speed.main(["--scaling", "--json", str(out)])
    steps = [row["step"] for row in json.loads(out.read_text())["rows"]]
    assert steps[-2:] == ["scale_frames", "scale_objects"]


def test_roofline_relates_each_side_to_the_machine():
    rows = [
        Row("encode", "a", 1.0, "eager_fp32", 2.0),
        Row("decode_4", "a", 0.1, "eager_fp32", 0.2),
        Row("propagate", "a", 1.0),
    ]
    first, second, several, alone = roofline(rows, WORKS, SPEEDS, Side(OURS))
    assert (first["step"], first["side"]) == ("encode", OURS)
    assert first["gflops"] == 50
    assert (first["of_float32"], first["of_bfloat16"]) == (50, 12.5)
    assert first["of_memory"] == pytest.approx(10)
    assert (second["side"], second["gflops"]) == ("eager_fp32", 25)
    assert (several["step"], several["gflops"]) == ("decode_4", 50)
    assert (alone["step"], alone["side"], alone["gflops"]) == (
        "decode",
        "eager_fp32",
        25,
    )


def test_the_machine_is_described(tiny_sam, monkeypatch):
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    machine = describe(tiny_sam)
    assert machine["limits"]["ATEN_CPU_CAPABILITY"] == "avx2"
    assert machine["threads"] >= 1
    assert machine["versions"]["torch"]
    assert machine["precision"] == "float32"


def test_speeds_of_the_machine_are_measured():
    speeds = measure_speeds(matrix=64).to_json()
    assert all(speed > 0 for speed in speeds.values())


def test_peak_memory_does_not_shrink():
    pytest.importorskip("resource")
    before = peak_mb()
    block = bytearray(50_000_000)
    after = peak_mb()
    del block
    assert before <= after <= peak_mb()
    assert after > 50


@pytest.mark.slow
def test_each_side_is_measured_in_a_process_of_its_own(tmp_path):
    memory = peaks([OURS, "eager_fp32"], tmp_path)
    assert list(memory) == ["encode", "decode"]
    for by_side in memory.values():
        assert list(by_side) == [OURS, "eager_fp32"]
        for found in by_side.values():
            assert 0 < found["added_mb"] < found["peak_mb"]


@pytest.mark.slow
def test_our_side_answers_through_the_public_class(mobile_sam):
    ours, scene = Ours(mobile_sam), Scene.of((480, 854))
    assert ours.encoding(scene)().frame_shape == (480, 854)
    assert ours.decoding(scene, 2)().low_res_logits.shape == (2, 4, 256, 256)
