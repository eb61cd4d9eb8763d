import pytest

from benchmarks.kill import kills


@pytest.mark.slow
def test_a_killed_rendering_run_again_gives_the_bytes_of_one_left_alone():
    for kill in kills(count=6, seed=1, workers=2, frames=60, preset="tabletop"):
        assert kill.identical and kill.orphans == 0, str(kill)
