"""Files that say what is trained and tested on."""

import json

import pytest

from render.errors import InputError
from train.objects.data import DataConfig, choose_images


def test_an_image_is_not_both_trained_and_tested_on(tmp_path):
    file = tmp_path / "split.json"
    file.write_text(json.dumps({"train": [[0, 1], [0, 2]], "test": [[0, 3], [0, 2]]}))
    line = r"split\.json has 1 images under train and under test, such as \[0, 2\]"
    for part in ("train", "test"):
        with pytest.raises(InputError, match=line):
            choose_images(DataConfig(split_file=str(file)), tmp_path, part, 0)
