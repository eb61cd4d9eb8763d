"""What a command left in its folder -> report.html, one page that needs nothing else."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from render import plain
from render.errors import InputError
from render.json_file import read_json, write_text
from train.learn.checkpoint import Checkpoint
from train.report import asked
from train.report.curves import GROUPS, bar_plot, curve_plots, find_logs
from train.report.damage import DAMAGED, damage
from train.report.pictures import find_film, find_pictures, of_plot
from train.report.tables import METRICS, main_errors, result_tables, study_tables, summary

FILE = "report.html"
_PAIR = plain.list_of(lambda value, where: value, most=2, least=2)
_ASKED = plain.record(
    {
        "command": plain.optional(plain.text),
        "folder": plain.text,
        "machine": plain.text,
        "seed": plain.whole(),
        "network": plain.optional(plain.text),
        "changed": plain.dict_of(plain.dict_of(_PAIR)),
        "versions": plain.dict_of(plain.text),
    },
    others=True,
)


def leave_report(
    config: Mapping[str, Any], out: Path, seed: int, network: Path | None = None
) -> Path:
    """Write asked.json and report.html at the end of a command; returns the page's path.

    Args:
        config: section -> options that the command was given.
        network: the run folder that was tested, if one was: its learning curves are shown.
    """
    asked.write_asked(config, out, seed, network)
    return write_page(out)


def write_page(out: Path) -> Path:
    """Make report.html of what lies in a folder of `run`, `study` or `evaluate`, also an old one.

    Raises:
        InputError: the folder holds neither results.json nor study.json, or a file is damaged.
    """
    study = out / "study.json"
    file = study if study.is_file() else out / "results.json"
    record = read_json(file)
    given = _given(out / asked.FILE)
    try:
        found = _study_outcome(record) if file == study else _outcome(record, given)
    except DAMAGED as error:
        raise InputError(f"{file}: not as it was written ({damage(error)})") from None
    logs = find_logs(Path(given["network"]) if given.get("network") else out)
    environment = Environment(
        loader=PackageLoader("train"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html").render(
        name=out.resolve().name,
        asked=given or None,
        settings=_settings(given, out),
        curves=[of_plot(plot) for plot in curve_plots(logs)],
        more_curves=max(0, len(logs) - GROUPS),
        pictures=find_pictures(out),
        film=find_film(out),
        versions={**given.get("versions", {}), **_renderers(out)},
        **found,
    )
    write_text(out / FILE, page)
    return out / FILE


def _given(file: Path) -> dict[str, Any]:
    """asked.json; {} where there is none."""
    return _ASKED(read_json(file), f"{file}: asked") if file.is_file() else {}


def _outcome(results: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What the page says of results.json."""
    errors = main_errors(results)
    title = "" if errors is None else f"mean error, {METRICS[errors[0]][0]}"
    of_one = bool(given["network"]) if given else not {"real", "finetune"} & {*results["methods"]}
    return {
        "kind": "evaluation" if of_one else "run",
        "facts": _facts(results, ("dataset", "seed", "frames", "tested_on")),
        "summary": summary(results),
        "tables": result_tables(results),
        "bars": None if errors is None else of_plot(bar_plot(errors[1], title)),
        "failed": {},
    }


def _study_outcome(study: Mapping[str, Any]) -> dict[str, Any]:
    """What the page says of study.json."""
    done, total = study["done"]
    return {
        "kind": "study",
        "facts": _facts(study, ("seed",)),
        "summary": f"{done} of {total} networks are trained and tested.",
        "tables": study_tables(study),
        "bars": None,
        "failed": study["failed"],
    }


def _facts(record: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    named = {name: record[name] for name in names if record.get(name) is not None}
    found = {name.replace("_", " "): value for name, value in named.items()}
    if "methods" in record:
        found["methods"] = ", ".join(record["methods"])
    return found


def _settings(given: Mapping[str, Any], out: Path) -> list[tuple[str, str, str]]:
    """(name, value, default) of options that are not at their default.

    Of a folder without asked.json: (name, value, "") that its first network was trained with.
    """
    if given:
        return [
            (f"{section}.{name}", _text(value), _text(default))
            for section, options in given["changed"].items()
            for name, (value, default) in options.items()
        ]
    for folder, subfolders, files in os.walk(out):
        if "generation.json" in files:
            subfolders.clear()
        subfolders.sort()
        if "checkpoint.pt" in files:
            settings = Checkpoint.load(Path(folder)).settings
            return [(name, _text(value), "") for name, value in _flat(settings).items()]
    return []


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping of mappings by names such as train.lr."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        inner = _flat(value) if isinstance(value, Mapping) else {"": value}
        found |= {f"{name}.{key}".rstrip("."): one for key, one in inner.items()}
    return found


def _renderers(out: Path) -> dict[str, str]:
    """The OpenGL that drew the datasets in a folder."""
    found = set()
    for folder, subfolders, files in os.walk(out):
        if "generation.json" in files:
            subfolders.clear()
            found.add(read_json(Path(folder) / "generation.json").get("renderer"))
    named = sorted(str(name) for name in found if name)
    return {"OpenGL": "; ".join(named)} if named else {}


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in (None, "") else str(value)
