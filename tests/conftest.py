import os
from pathlib import Path

import numpy as np
import pytest

# Before torch is imported: networks as small as the tests' run no faster on more threads, and four
# times slower where others want the cores too.
os.environ.setdefault("OMP_NUM_THREADS", "1")


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


@pytest.fixture(scope="session")
def nyu() -> Path:
    """The NYU hands: labels, published predictions, the first real test frame."""
    root = os.environ.get("NYU_PATH")
    if not root or not (Path(root) / "nyu_test_groundtruth_label.txt").is_file():
        pytest.skip("NYU_PATH is not set to the folder of the NYU hands")
    return Path(root)
