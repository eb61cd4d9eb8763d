"""results.json and study.json -> tables of a page."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from train.options import OURS

LESS, MORE = "less", "more"
# Key in results.json -> title, what it means, which of two values is better.
METRICS: dict[str, tuple[str, str, str | None]] = {
    "corner_px": (
        "corner px",
        "mean distance of the 8 corners of the object's box, reprojected from the pose, in pixels"
        " of the image; the crop's side where no pose was found",
        LESS,
    ),
    "joint_mm": ("joint mm", "mean distance of the joints from the annotated ones", LESS),
    "joint_mm_median": ("median mm", "median of the same distances", LESS),
    "frames_worst_joint_below_20mm": (
        "worst < 20 mm",
        "percent of frames whose worst joint is less than 20 mm off",
        MORE,
    ),
    "frames_worst_joint_below_40mm": (
        "worst < 40 mm",
        "percent of frames whose worst joint is less than 40 mm off",
        MORE,
    ),
    "proj_5px": ("proj 5px", "percent whose points project less than 5 px off on average", MORE),
    "add_10": (
        "ADD(-S) 10%",
        "percent whose points lie off by less than a tenth of the diameter on average",
        MORE,
    ),
    "cm5_deg5": ("5cm 5deg", "percent that are less than 5 cm and 5 degrees off", MORE),
    "rotation_deg_median": ("rot deg", "median error of the rotation, degrees", LESS),
    "translation_mm_median": ("trans mm", "median error of the translation, mm", LESS),
    "mssd_recall": ("MSSD", "BOP's recall by greatest distance of the surface, percent", MORE),
    "mspd_recall": ("MSPD", "BOP's recall by greatest distance in the image, percent", MORE),
    "vsd_recall": ("VSD", "BOP's recall by visible surface, percent", MORE),
    "ar": ("AR", "mean of BOP's three recalls, percent", MORE),
    "corner_raw_px": ("raw px", "the network's own corners, before PnP", LESS),
    "confidence_rho": (
        "conf rho",
        "rank correlation of confidence and MSSD: -1 where the surest poses are the best",
        LESS,
    ),
    "n": ("n", "test instances, or frames", None),
    "n_failed": ("failed", "instances for which no pose was found", LESS),
    "center_mm": ("centre mm", "mean distance of the crop's centre from the palm", LESS),
    "center_mm_median": ("centre median mm", "median of the same distances", LESS),
    "center_mm_95": ("centre 95 % mm", "95 percent of the frames are nearer", LESS),
    "center_of_mass_mm": ("centre of mass mm", "the same for the centre of mass", LESS),
}
DIGITS = {"confidence_rho": 2}  # behind the point, where one would say too little
BOXES = {  # what results.json calls the source of boxes -> caption
    "bbox_visib": "boxes of the visible part, jittered as a detector's",
    "bbox_obj": "boxes of the whole object, which give away where hidden parts are",
    "detections": "boxes of a detector",
    "detector": "boxes of the detector that was trained beside; what it missed has failed",
}
MAIN = ("corner_px", "joint_mm", "center_mm")  # the measure that methods are compared by


@dataclass(frozen=True)
class Cell:
    """text: as shown. value: what the column is sorted by; None where there is none."""

    text: str
    value: float | None = None
    best: bool = False


@dataclass(frozen=True)
class Table:
    """names: titles of the leading columns, which hold text. columns: (title, meaning) of others.
    rows: the leading texts, and the cells."""

    caption: str
    names: tuple[str, ...]
    columns: Sequence[tuple[str, str]]
    rows: Sequence[tuple[Sequence[str], Sequence[Cell]]] = field(default_factory=list)


def result_tables(results: Mapping[str, Any]) -> list[Table]:
    """All tables of results.json, the main one first."""
    if "objects" not in results:  # of a localiser alone
        rows = {("localiser",): results["center"]}
        return [metric_table("Where crops are centred", ("network",), rows)]
    names = results.get("names", {})
    found = [_of_objects(_caption(results.get("boxes", "")), results, names)]
    for caption, subset in results.get("subsets", {}).items():
        subset = subset if "objects" in subset else {"objects": {"hand": subset}}
        found.append(_of_objects(_caption(caption), subset, names))
    joints = _joints(results["objects"])
    if "center" in results:
        rows = {("all methods",): results["center"]}
        found.append(metric_table("Where crops are centred", ("crops of",), rows))
    return found + ([joints] if joints else [])


def metric_table(
    caption: str, names: tuple[str, ...], rows: Mapping[Any, Mapping[str, Any]]
) -> Table:
    """A table with a column for each metric that some row has.

    The best of a column, among the rows of one subject, is marked where they differ.

    Args:
        rows: what stands in the leading columns -> metrics.
    """
    keys = [key for key in METRICS if any(row.get(key) is not None for row in rows.values())]
    lines = []
    for labels, row in rows.items():
        peers = [r for other, r in rows.items() if other[:-1] == labels[:-1]]
        lines.append((labels, [_cell(row.get(k), _is_best(k, row, peers), k) for k in keys]))
    return Table(caption, names, [METRICS[key][:2] for key in keys], lines)


def study_tables(study: Mapping[str, Any]) -> list[Table]:
    """Every table of study.json, and how options were chosen."""
    found = [_study_table(table) for table in study["tables"]]
    tuning = {m: t for m, t in study["tuning"].items() if t["runs"]}
    if tuning:
        rows = [([m, _options(t["chosen"])], [_cell(t["runs"])]) for m, t in tuning.items()]
        columns = [("runs", "trainings to choose options by")]
        names = ("method", "options of least error")
        found.append(Table("How options were chosen", names, columns, rows))
    return found


def main_errors(results: Mapping[str, Any]) -> tuple[str, dict[str, dict[str, float]]] | None:
    """The key of the main error, and subject -> method -> error; None where there is none.

    An infinite one, of a pose behind the camera, is left out: it has no place on a plot.
    """
    names = results.get("names", {})
    objects = {names.get(i, i): of_one for i, of_one in results.get("objects", {}).items()}
    for key in MAIN:
        found = {
            subject: {m: row[key] for m, row in by_method.items() if _is_finite(row.get(key))}
            for subject, by_method in objects.items()
        }
        if any(found.values()):
            return key, {subject: of_one for subject, of_one in found.items() if of_one}
    return None


def summary(results: Mapping[str, Any]) -> str | None:
    """What came out, in a sentence."""
    means = results.get("mean", {})
    key = next((k for k in MAIN if any(row.get(k) is not None for row in means.values())), None)
    if key is None:
        return None
    title = METRICS[key][0].split()
    errors = {m: row[key] for m, row in means.items() if row.get(key) is not None}
    best = min(errors, key=lambda m: errors[m])
    unit = title[-1]
    text = f"Least mean {title[0]} error: {best}, {errors[best]:.1f} {unit}."
    ours = next((method for method in OURS if method in errors), None)
    if ours is not None and best != ours:
        text += f" {ours}: {errors[ours]:.1f} {unit}."
    rivals = {m: e for m, e in errors.items() if m != best}
    if best == ours and rivals:
        next_best = min(rivals, key=lambda m: rivals[m])
        text += f" Next: {next_best}, {rivals[next_best]:.1f} {unit}."
    if results.get("tested_on"):
        text += f" Tested on {results['tested_on']}."
    return text


def _caption(name: str) -> str:
    """Of a table of results.json, which is named after its boxes, and after a condition."""
    boxes, _, condition = name.partition(", ")
    if boxes in BOXES:
        return f"{condition or 'All test instances'}: {BOXES[boxes]}"
    return name.capitalize() or "All test frames"


def _of_objects(caption: str, table: Mapping[str, Any], names: Mapping[str, str]) -> Table:
    objects = {names.get(i, i): by_method for i, by_method in table["objects"].items()}
    if len(objects) > 1 and "mean" in table:
        objects["mean"] = table["mean"]
    rows = {(name, m): row for name, by_method in objects.items() for m, row in by_method.items()}
    return metric_table(caption, ("object", "method"), rows)


def _joints(objects: Mapping[str, Any]) -> Table | None:
    """Joints of a hand by methods; None for other objects."""
    per_joint = {m: row["per_joint_mm"] for m, row in objects.get("hand", {}).items()}
    if not per_joint:
        return None
    rows = []
    for joint in next(iter(per_joint.values())):
        values = [of_method[joint] for of_method in per_joint.values()]
        best = min(values) if len(set(values)) > 1 else None
        rows.append(([joint], [_cell(value, value == best) for value in values]))
    columns = [(method, "mean distance of this joint, mm") for method in per_joint]
    return Table("Each joint, mm", ("joint",), columns, rows)


def _study_table(table: Mapping[str, Any]) -> Table:
    methods, ratios = table["methods"], table.get("ratios", {})
    first = next(iter(methods.values()))
    main = next(key for key in first if key in MAIN)
    others = [key for key in first if key != main]
    columns = [METRICS[main][:2]]
    columns += [("over objects", "95 % interval, the objects as a sample of objects, by width")]
    columns += [("over seeds", "95 % interval of these objects, over seeds, by width")]
    columns += [METRICS[key][:2] for key in others]
    if ratios:
        ours = table.get("ours", OURS[-1])
        columns += [(f"{ours} / it", f"ratio of the errors; below 1 that of {ours} is smaller")]
        columns += [("ratio over objects", "95 % interval of the ratio, by width")]
        columns += [("ratio over seeds", "95 % interval of the ratio, by width")]
    rows = []
    for method, found in methods.items():
        best = _is_best(main, _plain(found), [_plain(other) for other in methods.values()])
        cells = _estimate(found[main], 1, best)
        cells += [
            _cell(found.get(key), _is_best(key, found, methods.values()), key) for key in others
        ]
        if ratios:
            cells += _estimate(ratios[method], 3) if method in ratios else [Cell("-")] * 3
        rows.append(([method + (" (rival)" if method == table.get("rival") else "")], cells))
    kept = [i for i in range(len(columns)) if any(cells[i].value is not None for _, cells in rows)]
    rows = [(labels, [cells[i] for i in kept]) for labels, cells in rows]
    return Table(_study_caption(table), ("method",), [columns[i] for i in kept], rows)


def _study_caption(table: Mapping[str, Any]) -> str:
    subjects, seeds = list(table["seeds"]), [len(of_one) for of_one in table["seeds"].values()]
    parts = [f"{table['real_frames'] or 'all'} real frames"]
    if table["visib"]:
        parts.append(f"visib_fract >= {table['visib']:g}")
    parts.append("hand" if subjects == ["hand"] else f"objects {', '.join(subjects)}")
    parts.append(f"{min(seeds)} seeds each" if min(seeds) > 1 else "a SINGLE SEED")
    if table["chosen_on"]:
        parts.append("options were chosen on training frames of these")
    return ", ".join(parts)


def _plain(found: Mapping[str, Any]) -> dict[str, Any]:
    """A study's figures with the mean alone in place of an estimate."""
    return {k: v["mean"] if isinstance(v, Mapping) else v for k, v in found.items()}


def _estimate(found: Mapping[str, Any], digits: int, best: bool = False) -> list[Cell]:
    cells = [Cell(f"{found['mean']:.{digits}f}", found["mean"], best)]
    for name in ("over_objects", "over_seeds"):
        ends = found[name]
        text = "-" if ends is None else f"{ends[0]:.{digits}f} to {ends[1]:.{digits}f}"
        cells.append(Cell(text, None if ends is None else ends[1] - ends[0]))
    return cells


def _options(chosen: Mapping[str, Any] | None) -> str:
    if chosen is None:
        return "not chosen yet"
    return ", ".join(f"{name} {value}" for name, value in chosen.items())


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def figure(value: float | None, key: str = "") -> str:
    """A metric as every table shows it; `key` is one of METRICS."""
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.{DIGITS.get(key, 1)}f}"


def _cell(value: float | None, best: bool = False, key: str = "") -> Cell:
    return Cell(figure(value, key), value, best)


def _is_best(key: str, row: Mapping[str, Any], peers: Iterable[Mapping[str, Any]]) -> bool:
    better, value = METRICS[key][2], row.get(key)
    values = [p[key] for p in peers if p.get(key) is not None]
    if better is None or value is None or len(set(values)) < 2:
        return False
    return bool(value == (min(values) if better == LESS else max(values)))
