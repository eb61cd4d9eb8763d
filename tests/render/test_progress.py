import io
import logging

import pytest

from render.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("total", [1, 7, 10, 95, 1000])
def test_everything_is_handed_on_with_at_most_ten_lines_and_the_last_says_all(total, caplog):
    with caplog.at_level(logging.INFO):
        assert list(progress(range(total), total, "work")) == list(range(total))
    lines = [record.getMessage() for record in caplog.records]
    assert min(total, 10) <= len(lines) <= 10 and lines[-1].startswith(f"work: {total} of {total},")


def test_a_resumed_count_starts_where_it_stopped(caplog):
    with caplog.at_level(logging.INFO):
        assert list(progress("abc", 10, "work", done=7)) == ["a", "b", "c"]
    assert [r.getMessage().split(",")[0] for r in caplog.records] == [
        "work: 8 of 10",
        "work: 9 of 10",
        "work: 10 of 10",
    ]


def test_a_terminal_shows_a_bar_and_no_lines(monkeypatch, caplog):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with caplog.at_level(logging.INFO):
        assert list(progress(range(5), 5, "work")) == list(range(5))
    assert "100%" in terminal.getvalue() and not caplog.records
