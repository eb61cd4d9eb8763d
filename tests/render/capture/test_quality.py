"""What a person is told of films that passed."""

import pytest

from render.capture.quality import COLUMNS, over_films, table

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
