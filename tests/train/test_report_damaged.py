"""Records of results that were damaged are shown, or refused in a line."""

import json

import pytest

from render.errors import InputError
from tests.plain_damage import ANYTHING, changed, places
from train.report.page import write_page

ROW = {"corner_px": 4.5, "proj_5px": 80.0, "ar": None, "n": 30}
RESULTS = {
    "dataset": "lmo",
    "seed": 3,
    "methods": ["real", "mapping"],
    "boxes": "bbox_visib",
    "objects": {"5": {"real": ROW, "mapping": ROW}},
    "mean": {"real": ROW, "mapping": ROW},
    "subsets": {"bbox_obj": {"objects": {"5": {"real": ROW}}}},
}
ASKED = {
    "command": "python pipeline.py run",
    "changed": {"train": {"steps": [7, 1500]}},
    "network": None,
    "versions": {"Python": "3.11"},
    "folder": "x",
    "seed": 1,
    "machine": "y",
}


@pytest.mark.parametrize("name, record", [("results.json", RESULTS), ("asked.json", ASKED)])
@pytest.mark.slow
def test_whatever_stands_at_a_place_a_page_is_made_or_refused(name, record, tmp_path, rng):
    for file, content in (("results.json", RESULTS), ("asked.json", ASKED)):
        (tmp_path / file).write_text(json.dumps(content))
    some, made, refused = list(places(record)), 0, 0
    for number in rng.choice(len(some), 40):
        new = ANYTHING[rng.integers(len(ANYTHING))]
        (tmp_path / name).write_text(json.dumps(changed(record, some[number], new)))
        try:
            write_page(tmp_path)
            made += 1
        except InputError as error:
            refused += 1
            assert name in str(error) and "\n" not in str(error) and len(str(error)) < 500
    assert made and refused
