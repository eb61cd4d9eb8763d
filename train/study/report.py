"""A study's results, as far as there are any -> study.json, study.txt, study_frames.png."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from render.json_file import write_text
from render.whole_file import whole_file
from train.options import OURS
from train.study.findings import Findings
from train.study.intervals import Estimate, Interval, estimate, ratio

TITLES = {  # what tables show, in order
    "corner_px": "corner px",
    "joint_mm": "joint mm",
    "proj_5px": "proj 5px",
    "add_10": "ADD(-S) 10%",
    "cm5_deg5": "5cm 5deg",
    "rotation_deg_median": "rot deg",
    "translation_mm_median": "trans mm",
    "joint_mm_median": "median mm",
    "frames_worst_joint_below_20mm": "worst<20mm",
    "frames_worst_joint_below_40mm": "worst<40mm",
}


def write_report(findings: Findings) -> str:
    """Write what is known so far; returns study.txt's text."""
    tables = [
        table
        for apart in (False, True)
        for visib in findings.visib
        for frames in findings.setup.study.real_frames
        if (table := _table(findings, apart, visib, frames)) is not None
    ]
    done = sum(job.is_done for job in findings.cells)
    record = {
        "seed": findings.setup.task.seed,
        "done": [done, len(findings.cells)],
        "tuning": {method: _tuning(findings, method) for method in findings.methods},
        "tables": tables,
        "failed": findings.failures(),
    }
    text = _text(findings, record)
    out = findings.setup.task.out
    write_text(out / "study.json", json.dumps(record, indent=2) + "\n")
    write_text(out / "study.txt", text + "\n")
    if tables:
        _plot(tables, findings, out / "study_frames.png")
    return text


def _tuning(findings: Findings, method: str) -> dict[str, Any]:
    """How many tuning runs a method had, and what came of them."""
    runs, scores = findings.tuning[method], findings.scores(method)
    options = {job.candidate: dict(job.options) for job in runs}
    tried: list[dict[str, Any]] = [
        {"options": options[i], "error": float(np.exp(score))}
        for i, score in enumerate(scores or [])
        if runs
    ]
    chosen = min(tried, key=lambda one: one["error"])["options"] if tried else None
    return {"runs": len(runs), "candidates": tried, "chosen": chosen}


def _table(findings: Findings, apart: bool, visib: float, frames: int) -> dict[str, Any] | None:
    """Methods on the (object, seed) of which all methods are finished; None where there is none.

    Args:
        apart: of the objects that options were chosen on, else of all others. Where options were
            chosen on all, they are in the table that is not apart.
    """
    subjects = dict.fromkeys(job.subject for job in findings.cells)
    chosen_on = set(findings.tuned_on) & set(subjects)
    if chosen_on == set(subjects):
        chosen_on = set()
    blocks: dict[str, dict[int, dict[str, dict[str, Any]]]] = {}
    for subject in subjects:
        if (subject in chosen_on) != apart:
            continue
        for seed in range(
            findings.setup.task.seed, findings.setup.task.seed + findings.setup.study.seeds
        ):
            figures = {
                m: _figures(findings, subject, seed, frames, m, visib) for m in findings.methods
            }
            if all(figures.values()):
                found = {method: of_method for method, of_method in figures.items() if of_method}
                blocks.setdefault(subject, {})[seed] = found
    if not blocks:
        return None

    errors = {m: _values(blocks, m, findings.measure) for m in findings.methods}
    means = {method: estimate(values) for method, values in errors.items()}
    table: dict[str, Any] = {
        "visib": visib,
        "real_frames": frames,
        "chosen_on": apart or (bool(findings.tuned_on) and set(blocks) <= set(findings.tuned_on)),
        "seeds": {subject: list(by_seed) for subject, by_seed in blocks.items()},
        "methods": {
            method: {findings.measure: asdict(means[method]), **_others(findings, blocks, method)}
            for method in findings.methods
        },
    }
    ours = next((method for method in OURS if method in findings.methods), None)
    rivals = [method for method in findings.methods if method != ours]
    if ours is not None and rivals:
        table["ours"] = ours
        table["rival"] = min(rivals, key=lambda method: means[method].mean)
        table["ratios"] = {m: asdict(ratio(errors[ours], errors[m])) for m in rivals}
    return table


def _figures(
    findings: Findings, subject: str, seed: int, frames: int, method: str, visib: float
) -> dict[str, Any] | None:
    """A network's figures; those of a method without real images stand for any number of them."""
    job = findings.by_key.get((subject, seed, frames, method))
    job = job or findings.by_key[subject, seed, None, method]
    return findings.of(job, visib)


def _values(blocks: Mapping[str, Mapping[int, Mapping]], method: str, key: str) -> dict[str, list]:
    return {
        subject: [figures[method][key] for figures in by_seed.values()]
        for subject, by_seed in blocks.items()
    }


def _others(findings: Findings, blocks: Mapping, method: str) -> dict[str, float | None]:
    """Means of the other figures, every object alike; None where a network has none."""
    first = next(iter(next(iter(blocks.values())).values()))[method]
    means: dict[str, float | None] = {}
    for key in first:
        if key in TITLES and key != findings.measure:
            values = _values(blocks, method, key)
            lost = any(value is None for of_one in values.values() for value in of_one)
            means[key] = None if lost else estimate(values).mean
    return means


def _text(findings: Findings, record: Mapping[str, Any]) -> str:
    done, total = record["done"]
    parts = [f"{done} of {total} networks are trained and tested.", _tuning_text(findings, record)]
    if findings.setup.study.share_start:
        parts.append("All seeds of an object start from one pre-training.")
    parts += [_table_text(findings, table) for table in record["tables"]]
    if record["tables"]:
        parts.append(
            "Intervals are at 95 %: [over objects, as a sample of objects] (these objects, over"
            " seeds). A ratio below 1 says that the error of the method before / is smaller. '-':"
            " too few for one."
        )
    if record["failed"]:
        lines = [f"  {name}: {error}" for name, error in record["failed"].items()]
        parts.append("\n".join(["Failed:", *lines]))
    return "\n\n".join(parts)


def _tuning_text(findings: Findings, record: Mapping[str, Any]) -> str:
    if not findings.setup.study.tuning:
        return "No option was tuned: every method has those of [train]."
    task = findings.setup.task
    lines = [
        f"Options chosen on folds of the training frames of {task.titles(findings.tuned_on)},"
        f" seed {task.seed}; no test frame was read for it:"
    ]
    for method, found in record["tuning"].items():
        chosen = found["chosen"]
        text = "not chosen yet"
        if chosen is not None:
            text = ", ".join(f"{name} {value}" for name, value in chosen.items())
        lines.append(f"  {method}: {found['runs']} tuning runs: {text}")
    return "\n".join(lines)


def _table_text(findings: Findings, table: Mapping[str, Any]) -> str:
    first = next(iter(table["methods"].values()))
    keys = [key for key in first if key != findings.measure]
    header = ["method", TITLES[findings.measure], "over objects", "over seeds"]
    header += [TITLES[key] for key in keys]
    lines, ratios = [], table.get("ratios", {})
    header += [f"{table['ours']} / it", "over objects", "over seeds"] if ratios else []
    for method, found in table["methods"].items():
        line = [method + (" (rival)" if method == table.get("rival") else "")]
        line += _cells(found[findings.measure], 1) + [_number(found[key], 1) for key in keys]
        if ratios:
            line += _cells(ratios[method], 3) if method in ratios else ["", "", ""]
        lines.append(line)
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
    rows = ["  ".join(map(str.rjust, line, widths)).rstrip() for line in [header, *lines]]
    return "\n".join([_caption(findings, table), *rows])


def _caption(findings: Findings, table: Mapping[str, Any]) -> str:
    frames = table["real_frames"] or "all"
    seeds = [len(of_one) for of_one in table["seeds"].values()]
    task = findings.setup.task
    parts = [f"{frames} real frames", task.titles(list(table["seeds"]))]
    condition = task.condition(table["visib"])
    if condition is not None:
        parts.insert(0, condition)
    count = f"{min(seeds)}" if min(seeds) == max(seeds) else f"{min(seeds)} to {max(seeds)}"
    parts.append(f"{count} seeds each" if max(seeds) > 1 else "a SINGLE SEED each")
    if table["chosen_on"]:
        parts.append("options were chosen on training frames of these")
    return ", ".join(parts)


def _cells(found: Mapping[str, Any], digits: int) -> list[str]:
    over_objects, over_seeds = found["over_objects"], found["over_seeds"]
    texts = [_number(found["mean"], digits)]
    for interval, (left, right) in ((over_objects, "[]"), (over_seeds, "()")):
        inner = None if interval is None else [_number(end, digits) for end in interval]
        texts.append("-" if inner is None else f"{left}{inner[0]}, {inner[1]}{right}")
    return texts


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _plot(tables: Sequence[Mapping[str, Any]], findings: Findings, file: Path) -> None:
    """Main error against number of real frames, a line a method, bars over seeds.

    Of the first threshold, and of the objects that no option was chosen on where there are such.
    """
    from matplotlib.figure import Figure  # without pyplot: it draws by Agg and needs no display

    first = tables[0]
    same = ("visib", "chosen_on")
    shown = [table for table in tables if all(table[key] == first[key] for key in same)]
    shown.sort(key=lambda table: table["real_frames"] or np.inf)
    places = np.arange(len(shown))
    figure = Figure(figsize=(7, 5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for i, method in enumerate(findings.methods):
        found = [Estimate(**table["methods"][method][findings.measure]) for table in shown]
        means = np.array([one.mean for one in found])
        reach = [_reach(one.mean, one.over_seeds) for one in found]
        style: dict[str, Any] = {
            "marker": "o",
            "capsize": 3,
            "linewidth": 2.5 if method in OURS else 1.3,
        }
        shift = 0.03 * (i - (len(findings.methods) - 1) / 2)  # apart, so that bars do not hide
        axes.errorbar(places + shift, means, yerr=np.array(reach).T, label=method, **style)
    seeds = max(len(of_one) for table in shown for of_one in table["seeds"].values())
    bars = "bars: 95 % over seeds" if seeds > 1 else "no intervals: a single seed"
    task = findings.setup.task
    shows = ", ".join(filter(None, [task.shown, task.condition(first["visib"])]))
    axes.set(
        xlabel="real frames",
        ylabel=f"mean error, {TITLES[findings.measure]}",
        xticks=places,
        xticklabels=[str(table["real_frames"] or "all") for table in shown],
        title=f"{shows}; {bars}",
    )
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.35)
    axes.legend()
    with whole_file(file) as partial:
        figure.savefig(partial, format="png")


def _reach(mean: float, interval: Interval | None) -> tuple[float, float]:
    return (0.0, 0.0) if interval is None else (mean - interval[0], interval[1] - mean)
