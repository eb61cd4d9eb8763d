"""Where a BOP scene's images are found, and what is said where they are not."""

import shutil

import numpy as np
import pytest
from PIL import Image

from render.errors import InputError
from render.formats.bop import read_split
from tests.small_dataset import cuboids, random_frames, write_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root, models = tmp_path_factory.mktemp("images") / "real", cuboids()
    write_dataset(root, models, random_frames(np.random.default_rng(3), models, 2))
    return root


@pytest.fixture
def images(dataset, tmp_path):
    """The first image of a copy, and the folder of its scene."""
    shutil.copytree(dataset, tmp_path / "copy")
    (image, *_) = read_split(tmp_path / "copy", "test")
    return image, image.scene_dir


@pytest.mark.parametrize("suffix", [".tif", ".tiff", ".TIF", ".PNG"])
def test_colour_is_found_under_the_names_that_people_give_it(images, suffix):
    image, _ = images
    expected = image.read_rgb()
    Image.fromarray(expected).save(image.rgb_path.with_suffix(suffix))
    image.rgb_path.unlink()
    np.testing.assert_array_equal(image.read_rgb(), expected)


@pytest.mark.parametrize("suffix", [".jpeg", ".JPG", ".JPEG"])
def test_so_is_what_a_camera_writes(images, suffix):
    image, _ = images
    expected = image.read_rgb()
    image.rgb_path.unlink()
    Image.fromarray(expected).save(image.scene_dir / "rgb" / f"{image.im_id:06d}{suffix}", "JPEG")
    assert np.abs(image.read_rgb().astype(int) - expected).mean() < 10


@pytest.mark.parametrize(
    ("folder", "name", "kinds"),
    [
        ("rgb", "{:06d}.bmp", "PNG, JPEG or TIFF"),
        ("rgb", "{:d}.png", "PNG, JPEG or TIFF"),
        ("mask_visib", "{:06d}_000000.jpg", "PNG"),
    ],
)
def test_a_missing_image_is_refused_with_what_is_there_instead(images, folder, name, kinds):
    image, scene = images
    stem = f"{image.im_id:06d}" + ("_000000" if folder == "mask_visib" else "")
    file, other = scene / folder / f"{stem}.png", name.format(image.im_id)
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    (scene / folder / other).write_bytes(b"")
    line = f"{file}: no such file, {folder} holds {other}; images are {kinds}, named by their"
    with pytest.raises(InputError, match=line):
        image.read_rgb() if folder == "rgb" else image.read_mask(0, visible=True)
