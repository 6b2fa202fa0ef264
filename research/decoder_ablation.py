"""Train the design document's decoder, variants of it and a U-Net alike.

    python research/decoder_ablation.py EXAMPLES OUT [--data DATA ...] [--steps N]
        [--only NAME ...] [--frames N] [--objects N]

EXAMPLES is WORK/examples of ``train_sharp.py``. Each configuration is trained on it for
the same number of steps with two seeds, one after the other; steps rather than minutes,
since these do not depend on what else runs on the machine. An interrupted run is
resumed by the same command.

DATA is as for ``decoder.py``, which explains the measures; nothing is trained on it.
The spread is half of the range of the seeds. ``base`` is measured in three number
types: float32, drawn in bfloat16, and with weights rounded to float16.

OUT gets ``ablation.json``, ``ablation.md``, and a folder for each configuration and
seed with the losses of each step in ``curve.csv`` and weights for ``decoder.py``.
"""

from __future__ import annotations

import argparse
import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from decoder_parts.ablation_report import as_json, as_markdown, last_loss, over_seeds
from decoder_parts.sampling import Sampling
from decoder_parts.trials import CONFIGURATIONS, SEEDS, Trial
from decoder_parts.whole_mask_task import WholeMaskTask
from napari_sam_decoder import load_sam
from napari_sam_decoder.training.examples import ExampleFolder
from shipped_head.sam_examples import SamExample

if TYPE_CHECKING:
    from decoder_parts.summary import Row
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.training.loop import TrainingStep

Options = argparse.Namespace
STEPS = 700
"""The base takes ten minutes for these on two quiet cores."""

REPORT_EVERY = 50


def main() -> None:
    """Train, measure, and print the tables."""
    options = _parse()
    options.out.mkdir(parents=True, exist_ok=True)
    _check_same(options)
    sam = load_sam()
    task = WholeMaskTask(ExampleFolder(options.examples, SamExample), sam)
    rows: dict[str, list[Row]] = {}
    curves: dict[str, list[str]] = {}
    for name in options.only:
        for seed in SEEDS:
            folder = options.out / name.replace(" ", "_") / f"seed{seed}"
            trial = Trial(name, seed, folder)
            for variant, row in _run(trial, task, sam, options).items():
                rows.setdefault(variant, []).append(row)
            curves.setdefault(name, []).append(str(trial.curve))
        _report(rows, curves, options)
    print((options.out / "ablation.md").read_text())


def _parse() -> Options:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("examples", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, nargs="+", default=[])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument(
        "--only", choices=CONFIGURATIONS, nargs="+", default=list(CONFIGURATIONS)
    )
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--objects", type=int, default=2)
    return parser.parse_args()


def _check_same(options: Options) -> None:
    """Refuse to resume with other examples or settings."""
    names = sorted(path.name for path in options.examples.glob("[!.]*.npz"))
    digest = sha256("\n".join(names).encode()).hexdigest()
    settings = {"steps": options.steps, "examples": len(names), "names": digest}
    path = options.out / "settings.json"
    if not path.exists():
        path.write_text(json.dumps(settings) + "\n")
    elif (found := json.loads(path.read_text())) != settings:
        raise SystemExit(
            f"{options.out} was started with {found}, and this is {settings}; choose "
            "another folder, or resume with the same settings"
        )


def _run(
    trial: Trial, task: WholeMaskTask, sam: Sam, options: Options
) -> dict[str, Row]:
    """Measures by name; one for each number type."""
    network = trial.network(sam)
    for step in trial.train(network, task, options.steps):
        if (step.number + 1) % REPORT_EVERY == 0:
            _tell(trial, step, options.steps)
    trial.save(network)
    besides = {
        "parameters": sum(weights.numel() for weights in network.parameters()),
        "loss": last_loss(trial.curve),
    }
    if not options.data:
        return {trial.name: besides}
    sampling = Sampling(options.frames, options.objects)
    found = trial.measure(network, sam, options.data, sampling)
    return {variant: row | besides for variant, row in found.items()}


def _tell(trial: Trial, step: TrainingStep, steps: int) -> None:
    print(
        f"{trial.name}, seed {trial.seed}: step {step.number + 1} of {steps}, "
        f"loss {step.loss:.3f}, {step.seconds:.0f} s",
        flush=True,
    )


def _report(
    rows: dict[str, list[Row]], curves: dict[str, list[str]], options: Options
) -> None:
    """Write all results so far."""
    summary = over_seeds(rows)
    paths = "\n".join(f"- {name}: {', '.join(own)}" for name, own in curves.items())
    table = as_markdown(summary) + f"\nLosses of each step:\n\n{paths}\n"
    (options.out / "ablation.md").write_text(table)
    about = {
        "steps": options.steps,
        "seeds": SEEDS,
        "data": [path.name for path in options.data],
        "curves": curves,
    }
    (options.out / "ablation.json").write_text(as_json(summary, about))


if __name__ == "__main__":
    main()
