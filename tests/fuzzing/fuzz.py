"""Try thousands of damaged inputs: ``python tests/fuzzing/fuzz.py --count 10000``.

Each piece of them is a process of its own, so that one that crashes is found as well.
Each number gives the same input again: ``--first 4711 --count 1 --trace``.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

from trying import Finding, Trials  # noqa: E402

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_PIECE = 500
_PATIENCE_S = 200


def say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", default="", help="a part of the names of inputs")
    parser.add_argument("--trace", action="store_true")
    asked = parser.parse_args()
    found: list[Finding] = []
    numbers = range(asked.first, asked.first + asked.count)
    while numbers:
        done, findings = _piece(numbers[:_PIECE], asked.only)
        found += findings
        numbers = numbers[done:]
        say(f"{asked.count - len(numbers)} of {asked.count}, {len(found)} found")
    for finding in found:
        say(f"{finding.number} {finding.entrance}: {finding.what}"[:300])
        if asked.trace and finding.trace:
            say(finding.trace)
    say(Counter(finding.entrance for finding in found))
    return bool(found)


def _piece(numbers: range, only: str) -> tuple[int, list[Finding]]:
    """Try some numbers in a process; return how many were done, and findings."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(numbers, only, there))
    process.start()
    there.close()
    done, findings = 0, []
    while done < len(numbers):
        said: Any = None
        try:
            said = here.recv() if here.poll(_PATIENCE_S) else "it hangs"
        except EOFError:
            process.join()
            said = f"the process ended with {process.exitcode}"
        if isinstance(said, str):
            findings.append(Finding("", numbers[done], said, ""))
            done += 1
            break
        done += 1
        findings += [said] if isinstance(said, Finding) else []
    process.kill()
    process.join()
    return done, findings


def _work(numbers: range, only: str, there: Connection) -> None:
    # What libraries say of damage beside their errors.
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        trials = Trials(Path(folder), only)
        for number in numbers:
            there.send(trials.attempt(number))


if __name__ == "__main__":
    sys.exit(main())
