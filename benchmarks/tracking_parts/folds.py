"""Sequences in halves: what was chosen on one half is reported on the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Row = dict[str, Any]

__all__ = ["FOLDS", "mean_rows"]

FOLDS = {
    "A": (
        "davis_boat",
        "davis_bus",
        "davis_dog-agility",
        "davis_flamingo",
        "davis_lucia",
        "davis_rollerblade",
        "davis_surf",
    ),
    "B": (
        "davis_bmx-bumps",
        "davis_breakdance-flare",
        "davis_dance-jump",
        "davis_drift-turn",
        "davis_hockey",
        "davis_horsejump-low",
        "davis_kite-walk",
        "davis_motocross-bumps",
        "davis_paragliding",
        "davis_scooter-gray",
        "davis_soccerball",
        "davis_tennis",
    ),
    "C": ("ctc_dic_hela_02", "em_fib_gala_train", "mri_hippocampus_003"),
    "D": (
        "ct_spleen2",
        "ctc_fluo_n2dh_sim_01",
        "lm_plantseg_ovule",
        "lm_stardist_nuclei3d",
    ),
}
"""Names of sequences. A and B are natural video, C and D are cells and volumes."""


def mean_rows(
    rows: Sequence[Row],
    means: Callable[[Sequence[Row]], dict[str, Row]],
    *,
    folds: bool,
) -> list[Row]:
    """Average the rows of each method over all sequences, and over each half.

    Parameters
    ----------
    rows : sequence of dict
        One per sequence and method.
    means : callable
        Returns a row by method.
    folds : bool
        Whether the halves are asked for; those without a sequence are left out.

    Returns
    -------
    list of dict
        Their names are "mean" or, for a half, "mean of A".
    """
    groups = {"mean": list(rows)}
    for fold, names in FOLDS.items() if folds else ():
        groups[f"mean of {fold}"] = [row for row in rows if row["name"] in names]
    return [
        {**row, "name": name}
        for name, group in groups.items()
        for row in means(group).values()
    ]
