from pathlib import Path

import pytest

from tests.train.learn.test_trainer import run, training


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("trainer") / "mapping"
    run(training(), out)
    return out
