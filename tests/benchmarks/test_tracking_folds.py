from __future__ import annotations

from itertools import chain

from tracking_parts.folds import FOLDS, mean_rows

ROWS = [
    {"name": "davis_boat", "method": "full", "J": 80},
    {"name": "davis_boat", "method": "static", "J": 10},
    {"name": "davis_tennis", "method": "full", "J": 60},
    {"name": "my_movie", "method": "full", "J": 10},
]


def means(rows):
    methods = dict.fromkeys(row["method"] for row in rows)
    return {
        method: {"method": method, "J": sum(values) / len(values)}
        for method in methods
        for values in [[row["J"] for row in rows if row["method"] == method]]
    }


def test_no_sequence_is_in_two_halves():
    names = list(chain.from_iterable(FOLDS.values()))
    assert len(names) == len(set(names)) == 26


def test_all_sequences_are_averaged():
    assert mean_rows(ROWS, means, folds=False) == [
        {"name": "mean", "method": "full", "J": 50},
        {"name": "mean", "method": "static", "J": 10},
    ]


def test_halves_are_averaged_by_themselves():
    assert mean_rows(ROWS, means, folds=True)[2:] == [
        {"name": "mean of A", "method": "full", "J": 80},
        {"name": "mean of A", "method": "static", "J": 10},
        {"name": "mean of B", "method": "full", "J": 60},
    ]
