import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def lmo() -> Path:
    """The real Occlusion-LINEMOD dataset."""
    root = os.environ.get("BOP_PATH")
    if not root or not (Path(root) / "lmo").is_dir():
        pytest.skip("BOP_PATH is not set to a folder that holds lmo/")
    return Path(root) / "lmo"
