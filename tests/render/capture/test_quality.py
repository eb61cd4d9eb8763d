"""What a person is told of a film that passed, and of several together."""

import pytest

from render.capture.board_sheet import make_board
from render.capture.quality import COLUMNS, over_films, table, warn_of_size
from render.mesh.mesh import load_models

SUMMARY = dict.fromkeys([key for _, key, _ in COLUMNS], 0.5) | {"frames": 40}


def films(*sizes: float) -> list[dict]:
    return [{"summary": {**SUMMARY, "size_off": size}} for size in sizes]


def test_films_are_as_far_apart_as_the_largest_and_the_smallest_size():
    assert over_films(films(0.004)) == {}
    assert over_films(films(0.004, -0.001, 0.002)) == {"size_off_apart": pytest.approx(0.005)}


def test_a_table_has_a_line_a_film_and_one_over_all():
    assert len(table(films(0.004)).splitlines()) == 2
    *rows, last = table(films(0.004, -0.001, 0.002)).splitlines()
    assert len(rows) == 4 and "+0.4%" in rows[1]
    assert last == "sizes of one object: 0.5% apart at most over 3 films"


def test_a_size_that_is_off_names_the_two_lengths_to_measure(caplog):
    model = load_models(["assets"], obj_ids=[1])[1]
    for right in (0.0, 0.0099, -0.0099):
        warn_of_size(right, model, make_board())
    assert not caplog.records
    warn_of_size(0.02, model, make_board().measured(102.0))
    (record,) = caplog.records
    said = record.getMessage()
    assert "2.0 % larger than its mesh" in said
    assert "the ruler is 100 mm long and not 102 (--ruler-mm)" in said
    side = 1000 * (model.box[1] - model.box[0]).max()
    assert f"longest side {1.02 * side:.4g} mm and not {side:.4g} (the mesh's unit" in said
