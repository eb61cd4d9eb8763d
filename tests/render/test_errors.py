import pytest

from render.errors import MOST_SHOWN, one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31m.ply", r"a\x1b[31m.ply"),
        ("a\nError: b\r.ply", r"a\nError: b\r.ply"),
        ("a\x9b2J\u202eylp.\u2028", r"a\x9b2J\u202eylp.\u2028"),
        ("a\udcff.png", r"a\udcff.png"),  # a byte that is no UTF-8, as Python reads it
        ("Tür 門 é.obj: 3 µm", "Tür 門 é.obj: 3 µm"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped_and_letters_are_not(text, shown):
    assert one_line(text) == shown


def test_of_a_long_line_beginning_and_end_are_shown():
    line = one_line("first " + "x" * 5000 + " last")
    assert len(line) == MOST_SHOWN and line.startswith("first x") and line.endswith("x last")
    assert len(one_line("\x1b" * 5000)) == MOST_SHOWN
    assert one_line("x" * MOST_SHOWN) == "x" * MOST_SHOWN
