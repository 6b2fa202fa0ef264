"""Damaged inputs of every kind: a right result, or one of our own errors.

`fuzz.py` in this folder tries thousands.
"""

from __future__ import annotations

import pytest
from trying import Trials

EACH, MANY = 4, 60
"""Inputs of each kind."""


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    return Trials(tmp_path_factory.mktemp("damaged"))


def test_without_damage_all_is_well(trials):
    for entrance in trials.entrances:
        trials.use_sound(entrance)


@pytest.mark.parametrize(
    "numbers", [range(EACH), pytest.param(range(EACH, MANY), marks=pytest.mark.slow)]
)
def test_damage_is_met_by_our_own_errors(trials, numbers):
    count = len(trials.entrances)
    for number in range(numbers.start * count, numbers.stop * count):
        finding = trials.attempt(number)
        assert finding is None, f"{finding}\n{finding.trace}"
