"""What came of test instances -> BOP results file, results.json and a table."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.stats import rankdata

from render.errors import InputError
from render.formats.bop_results import Estimate, results_name
from render.formats.bop_results import write_results as write_csv
from render.json_file import write_text
from render.mesh.mesh import ObjectModel
from train.objects.data import DataConfig, Instance
from train.objects.metrics import PoseErrors
from train.objects.summary import Group, mean_over_objects, summarize
from train.objects.table import format_rows

BOXES = {
    "bbox_visib": "boxes of the visible part, jittered as a detector's",
    "bbox_obj": "boxes of the whole object, jittered alike; they give away where hidden parts are",
    "detections": "boxes of a detector",
    "detector": "boxes of the detector that was trained beside; what it missed has failed",
}
CLEAR = 0.6  # visib_fract from which an instance counts as clearly visible, in a table of its own


@dataclass(frozen=True, eq=False)
class Outcome:
    """One test instance under one method.

    corners: (8, 2) box corners under the final pose, image pixels. errors, corners: None where no
    pose was found. side: of the crop, image pixels; it stands in for corner_px there.
    corner_raw_px: error of the network's own corners, before PnP. confidence: the pose's own.
    """

    obj_id: int
    method: str
    boxes: str
    instance: Instance
    errors: PoseErrors | None
    corners: np.ndarray | None
    side: float
    corner_raw_px: float
    confidence: float = 0.0


def write_estimates(
    out: Path, method: str, data: DataConfig, estimates: Sequence[Estimate]
) -> Path:
    """Write poses as BOP's results file METHOD_DATASET-SPLIT.csv; returns its path."""
    # The parts of the name are told apart by _ - and . so they hold none themselves.
    dataset, split = (
        "".join(filter(str.isalnum, name))
        for name in (Path(data.dataset).resolve().name, data.split)
    )
    path = out / results_name(method.replace("_", "-"), dataset, split)
    write_csv(path, estimates)
    return path


def record_of(outcomes: Sequence[Outcome], diameter: float) -> dict[str, Any]:
    """Outcomes as plain data, a row each; `metrics_of` reads it. diameter: metres."""
    rows = [
        {
            "instance": list(o.instance.key),
            "visib_fract": o.instance.annotation.visib_fract,
            "crop_side_px": o.side,
            "errors": None if o.errors is None else asdict(o.errors),
        }
        for o in outcomes
    ]
    return {"diameter": diameter, "rows": rows}


def metrics_of(record: Mapping[str, Any], visib: float) -> dict[str, Any] | None:
    """Metrics of a record's instances of which a share is visible; None where there are none."""
    rows = [row for row in record["rows"] if row["visib_fract"] >= visib]
    if not rows:
        return None
    found = [PoseErrors(**row["errors"]) if row["errors"] else None for row in rows]
    groups = [
        Group(((errors,),) if errors else (), (row["crop_side_px"],))
        for row, errors in zip(rows, found, strict=True)
    ]
    return summarize(groups, record["diameter"])


def results(
    outcomes: Sequence[Outcome], models: Mapping[int, ObjectModel], methods: Sequence[str]
) -> dict[str, dict]:
    """Every table, {caption: {"objects": {id: {method: metrics}}, "mean": {method: metrics}}}.

    One for each source of the boxes, and one more for the clearly visible instances of each.
    """
    tables = {}
    for boxes in dict.fromkeys(outcome.boxes for outcome in outcomes):
        part = [o for o in outcomes if o.boxes == boxes]
        clear = [o for o in part if (o.instance.annotation.visib_fract or 0) >= CLEAR]
        tables[boxes] = _table(part, models, methods)
        tables[f"{boxes}, visib_fract >= {CLEAR}"] = _table(clear, models, methods)
    return {caption: table for caption, table in tables.items() if table["objects"]}


def names_of(models: Iterable[ObjectModel]) -> dict[str, dict[str, str]]:
    """What results.json says of objects that have names: "names", id to name; else nothing."""
    names = {str(model.obj_id): model.name for model in models if model.name}
    return {"names": names} if names else {}


def write_results(tables: Mapping[str, dict], about: Mapping, heading: str, out: Path) -> str:
    """Write results.json and results.txt; returns the text: heading and every table.

    Args:
        about: what results.json says first: dataset, seed, methods.
        heading: a line that says what was trained and tested on.

    Raises:
        InputError: there is no table, since no test frame shows an object.
    """
    if not tables:
        raise InputError(f"no test frame of {about['dataset']} shows the object")
    captions = list(tables)
    record = {
        **about,
        "boxes": captions[0],
        **tables[captions[0]],
        "subsets": {caption: tables[caption] for caption in captions[1:]},
    }
    names = about.get("names", {})
    text = "\n\n".join([heading, *(format_table(c, tables[c], names) for c in captions)])
    write_text(out / "results.json", json.dumps(record, indent=2) + "\n")
    write_text(out / "results.txt", text + "\n")
    return text


def format_table(
    caption: str, table: Mapping[str, dict], names: Mapping[str, str] = MappingProxyType({})
) -> str:
    """One table for the terminal: a line for each named object and method, then the means."""
    objects = {names.get(i, i): by_method for i, by_method in table["objects"].items()}
    rows = {**objects, "mean": table["mean"]} if len(objects) > 1 else objects
    lines = [
        ((name, method), metrics)
        for name, by_method in rows.items()
        for method, metrics in by_method.items()
    ]
    boxes = caption.split(",")[0]
    return f"{caption}: {BOXES[boxes]}\n" + format_rows(("object", "method"), lines)


def _table(
    outcomes: Sequence[Outcome], models: Mapping[int, ObjectModel], methods: Sequence[str]
) -> dict[str, dict]:
    objects: dict[str, dict] = {}
    for obj_id, model in models.items():
        by_method = {
            m: [o for o in outcomes if (o.obj_id, o.method) == (obj_id, m)] for m in methods
        }
        if all(by_method.values()):
            objects[str(obj_id)] = {
                method: _summary(part, model.diameter) for method, part in by_method.items()
            }
    mean = {m: mean_over_objects([o[m] for o in objects.values()]) for m in methods if objects}
    return {"objects": objects, "mean": mean}


def _summary(outcomes: Sequence[Outcome], diameter: float) -> dict:
    """metrics of `summarize`, the network's own corners, before PnP, and what confidence is worth.

    confidence_rho: Spearman's rank correlation of confidence and MSSD, over poses that were found:
    -1 where the surest are the best, 0 where it says nothing, None where there is no ranking.
    """
    groups = [Group(((o.errors,),) if o.errors else (), (o.side,)) for o in outcomes]
    raw = [o.corner_raw_px for o in outcomes]
    found = [(o.confidence, o.errors.mssd) for o in outcomes if o.errors]
    return {
        **summarize(groups, diameter),
        "corner_raw_px": float(np.mean(raw)),
        "confidence_rho": _spearman(np.array(found).reshape(-1, 2)),
    }


def _spearman(pairs: np.ndarray) -> float | None:
    """Rank correlation of (n, 2) values; None of fewer than three, or where one is constant."""
    if len(pairs) < 3 or (np.ptp(pairs, axis=0) == 0).any():
        return None
    return float(np.corrcoef(rankdata(pairs, axis=0).T)[0, 1])
