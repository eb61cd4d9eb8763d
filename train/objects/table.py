"""Metrics -> aligned text."""

from collections.abc import Mapping, Sequence
from typing import Any

from train.report.tables import figure

COLUMNS = (
    ("corner_px", "corner px"),
    ("proj_5px", "proj 5px"),
    ("add_10", "ADD(-S) 10%"),
    ("cm5_deg5", "5cm 5deg"),
    ("rotation_deg_median", "rot deg"),
    ("translation_mm_median", "trans mm"),
    ("mssd_recall", "MSSD"),
    ("mspd_recall", "MSPD"),
    ("vsd_recall", "VSD"),
    ("ar", "AR"),
    ("confidence_rho", "conf rho"),
    ("n", "n"),
    ("n_failed", "failed"),
)


def format_rows(
    names: Sequence[str], rows: Sequence[tuple[Sequence[str], Mapping[str, Any]]]
) -> str:
    """Lay metrics out as a table; a column that no row has is left out.

    Args:
        names: titles of the leading columns.
        rows: for each line what stands in those, and its metrics.
    """
    columns = [c for c in COLUMNS if any(metrics.get(c[0]) is not None for _, metrics in rows)]
    lines = [[*names, *(title for _, title in columns)]]
    for labels, metrics in rows:
        lines.append([*labels, *(figure(metrics.get(key), key) for key, _ in columns)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
