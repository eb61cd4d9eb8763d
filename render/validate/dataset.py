"""What only a whole dataset shows: numbers that are none, and objects of which nothing is seen."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NoReturn

from render.errors import InputError
from render.input_file import read_text
from render.validate.fault import Faults
from render.validate.records import ImageRecord


def check_finite(folder: Path, faults: Faults) -> None:
    """Report the JSON files of a folder that hold NaN or Infinity, which JSON has not, unless
    something else was found in them before."""
    known = {fault.path for fault in faults.found}
    for path in sorted(set(folder.glob("*.json")) - known):
        try:
            text = read_text(path)
            if "NaN" in text or "Infinity" in text:  # in a string they are no fault
                json.loads(text, parse_constant=_refuse)
        except _NotFinite as error:
            faults.add(path, f"holds {error}, which is no number of JSON's")
        except (InputError, ValueError, RecursionError):
            pass  # another check reads it, and says so


class _NotFinite(Exception):
    pass


def _refuse(constant: str) -> NoReturn:
    raise _NotFinite(constant)


class SeenObjects:
    """Counts annotated objects of a split, and those of which a pixel is seen."""

    def __init__(self) -> None:
        self.annotated, self.seen, self.unknown = 0, 0, 0

    def count(self, records: Mapping[int, ImageRecord]) -> None:
        """Count those of a scene."""
        for info in _infos(records):
            self.annotated += 1
            self.unknown += "px_count_visib" not in info
            self.seen += info.get("px_count_visib", 0) > 0

    def report(self, split: Path, faults: Faults) -> None:
        """Report a split in which nothing is seen, if its records tell."""
        if self.annotated and not (self.seen or self.unknown):
            message = f"nothing is seen of any of its {self.annotated} annotated objects"
            faults.add(split, message)


def _infos(records: Mapping[int, ImageRecord]) -> Iterable[Mapping]:
    return (a.info for record in records.values() for a in record.instances or ())
