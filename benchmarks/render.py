"""Frames a second of the rasterizer and of `render`, beside pyrender's, on the same scenes.

    python benchmarks/render.py [--json FILE]

Each number is the median of repeats, in which all that is compared takes turns. LM-O's can is drawn
where BOP_PATH is set, and a bundled mesh always.
"""

# the path is set first
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # else `render` would be this file

import click

from benchmarks.command import time_both, time_ours
from benchmarks.contest import Contest
from benchmarks.workload import BUNDLED, CROP, Workload

FACES, COUNTS = (1_000, 5_000, 20_000, 50_000, 200_000), (1, 3, 10, 25, 50)
SHARED = 60  # environments, as preset `photo` has them
NAMES = {
    "a": "(a) pyrender, rgb + depth",
    "b": "(b) ours, 1 process, rgb + depth + id",
    "c": "(c) ours, 1 process, all annotations",
    "d": "(d) ours, all workers, rgb + depth + id",
    "e": "(e) limit: as (b), nothing read back",
    "b_levels": "(b) with level of detail",
    "c_levels": "(c) with level of detail",
    "d_levels": "(d) with level of detail",
    "d_lit": f"(d) with level of detail, in {SHARED} environments",
    "d_1": "1 worker that has one thread in all",
    "d_2": "2 workers that have one thread each in all",
    "f": "(f) ours, the whole command",
    "f_plain": "(f) plain pyrender + imageio script",
    "f_default": "(f) with the default background and camera",
}
# What is divided by what, and the target on 2 cores with llvmpipe; sizes: where it holds.
RATIOS = (
    ("b", "a", {"640x480": 3.5}),
    ("d_levels", "a", {"640x480": 20.0, "128x128": 40.0}),
    ("d_lit", "a", {"640x480": 20.0, "128x128": 35.0}),
    ("d_2", "d_1", {"640x480": 1.9, "128x128": 1.9}),
    ("b", "e", {"640x480": 0.85, "128x128": 0.85}),
    ("f", "f_plain", {"640x480": 15.0, "128x128": 15.0}),
)


@click.command()
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the numbers here too.")
def main(out: Path | None) -> None:
    """Time drawing and writing, beside pyrender."""
    meshes = {"bundled object 1": BUNDLED}
    if "BOP_PATH" in os.environ:
        folder = Path(os.environ["BOP_PATH"]) / "lmo" / "models"
        meshes["LM-O can"] = Workload(str(folder), 5)

    results: dict = {"cores": len(os.sched_getaffinity(0)), "headline": {}, "growth": {}}
    with ExitStack() as stack:
        contest = stack.enter_context(Contest())
        results["renderer"] = contest.renderer
        click.echo(f"{contest.renderer}; {results['cores']} cores")
        for name, workload in meshes.items():
            for size in ((640, 480), CROP):
                label = f"{name}, {size[0]}x{size[1]}"
                rates = headline(contest, replace(workload, size=size))
                results["headline"][label] = rates
                click.echo(headline_table(label, rates))
        for title, workloads in growth_workloads(BUNDLED).items():
            rows = {str(key): growth(contest, each) for key, each in workloads.items()}
            results["growth"][title] = rows
            click.echo(growth_table(title, rows))
        results["growth"]["workers"] = workers = worker_growth(contest, BUNDLED)
        click.echo(growth_table("workers", workers))
    if out is not None:
        out.write_text(json.dumps(results, indent=2) + "\n")


def headline(contest: Contest, workload: Workload) -> dict[str, float]:
    """Everything of one mesh at one size, frames/s."""
    levels = replace(workload, levels=True)
    rates = contest.rates(
        {
            "a": contest.pyrender(workload),
            "b": contest.ours(workload, "frames"),
            "c": contest.ours(workload, "annotations"),
            "e": contest.ours(workload, "unread"),
            "d": contest.workers(workload),
            "b_levels": contest.ours(levels, "frames"),
            "c_levels": contest.ours(levels, "annotations"),
            "d_levels": contest.workers(levels),
            "d_lit": contest.workers(replace(levels, environments=SHARED)),
            "d_1": contest.workers(workload, 1, threads=0),
            "d_2": contest.workers(workload, 2, threads=0),
        }
    )
    repeats = 1 if workload.source == BUNDLED.source else 3
    whole = time_both(workload, repeats)
    return rates | whole | {"f_default": time_ours(workload, default=True)}


def growth_workloads(mesh: Workload) -> dict[str, dict[int, Workload]]:
    """What is drawn with ever more faces, and with ever more objects in a scene."""
    return {
        "faces of one object": {n: Workload("blob", faces=n) for n in FACES},
        "objects per scene": {n: replace(mesh, count=n) for n in COUNTS},
    }


def growth(contest: Contest, workload: Workload) -> dict[str, float]:
    """(a), (b), (d) and (f) of one workload, frames/s."""
    levels = replace(workload, levels=True)
    rates = contest.rates(
        {
            "a": contest.pyrender(workload),
            "b": contest.ours(workload, "frames"),
            "d": contest.workers(workload),
            "b_levels": contest.ours(levels, "frames"),
            "d_levels": contest.workers(levels),
        },
        repeats=3,
    )
    return rates | time_both(workload, repeats=1, frames=(100, max(3, 12 // workload.count)))


def worker_growth(contest: Contest, workload: Workload) -> dict[str, dict[str, float]]:
    """(d) and (f) with 1, 2, 4, ... workers up to all cores, frames/s."""
    counts = [n for n in (1, 2, 4, 8, 16, 32, 64) if n <= contest.cores]
    levels = replace(workload, levels=True)
    table = {}
    for n in counts:
        contestants = {"d": contest.workers(workload, n), "d_levels": contest.workers(levels, n)}
        table[str(n)] = contest.rates(contestants) | {"f": time_ours(workload, workers=n)}
    return table


def headline_table(label: str, rates: Mapping[str, float]) -> str:
    """Rates, and their ratios beside the targets."""
    lines = [["", label, "frames/s"]]
    lines += [["", NAMES[key], f"{rate:.1f}"] for key, rate in rates.items()]
    lines.append(["", "ratio", "", "target"])
    for over, under, targets in RATIOS:
        target = targets.get(label.split(", ")[-1], None)
        ratio = rates[over] / rates[under]
        lines.append(["", f"{NAMES[over]} / {NAMES[under]}", f"{ratio:.2f}", str(target or "-")])
    return aligned(lines)


def growth_table(title: str, rates: Mapping[str, Mapping[str, float]]) -> str:
    """One line for each size of the problem."""
    keys = list(next(iter(rates.values())))
    lines = [["", title, *keys]]
    lines += [["", size, *(f"{row[key]:.1f}" for key in keys)] for size, row in rates.items()]
    return aligned(lines) + "\n  frames/s: " + "; ".join(f"{k}: {NAMES[k]}" for k in keys)


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Text in columns, the second to the left and the others to the right."""
    columns = max(map(len, lines))
    padded = [[*line, *[""] * (columns - len(line))] for line in lines]
    widths = [max(map(len, column)) for column in zip(*padded, strict=True)]
    rows = [
        "  ".join(
            c.ljust(w) if i == 1 else c.rjust(w)
            for i, (c, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in padded
    ]
    return "\n" + "\n".join(row.rstrip() for row in rows)


if __name__ == "__main__":
    main()
