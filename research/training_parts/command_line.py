"""Options and progress of the scripts that train."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

__all__ = ["parse", "training_parser", "with_progress_bar"]


def training_parser(description: str, *folders: str) -> argparse.ArgumentParser:
    """Options of each of them: folders, the output, steps and threads."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    for folder in folders:
        parser.add_argument(folder, type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, help="of each stage")
    parser.add_argument("--threads", type=int, help="for torch")
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line, and give torch as many threads as it says."""
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    return options


def with_progress_bar(steps: Iterable[T], *, total: int, what: str) -> Iterator[T]:
    """Show how many steps are done."""
    yield from tqdm(steps, total=total, desc=what)
