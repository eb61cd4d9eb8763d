import logging

import numpy as np
import pytest

from render.errors import InputError
from render.image_file import write_png
from render.scene.background import background_files, draw_background
from render.scene.spec import Background


def test_a_plain_background_has_its_colour_everywhere():
    drawn = draw_background(Background("plain", color=(0.0, 0.2, 1.4)), (7, 5))
    np.testing.assert_array_equal(drawn, np.broadcast_to([0, 51, 255], (5, 7, 3)))


def test_an_image_lands_where_its_affine_map_says(tmp_path):
    """A ramp survives linear resampling, so that its values tell where a pixel came from."""
    v, u = np.mgrid[:80, :100]
    write_png(tmp_path / "ramp.png", np.stack([2 * u, 3 * v, 0 * u + 9], -1).astype(np.uint8))
    affine = ((1.5, 0.0, -20.0), (0.0, 1.5, -30.0))
    background = Background("image", path=str(tmp_path / "ramp.png"), crop_from_image=affine)
    drawn = draw_background(background, (90, 60))

    v, u = np.mgrid[:60, :90]
    expected = np.stack([2 * (u + 20) / 1.5, 3 * (v + 30) / 1.5, 0 * u + 9], axis=-1)
    np.testing.assert_allclose(drawn, expected, atol=0.6)


def test_an_unmoved_image_is_drawn_as_it_is(tmp_path, rng):
    image = rng.integers(0, 256, (30, 40, 3)).astype(np.uint8)
    write_png(tmp_path / "image.png", image)
    affine = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    background = Background("image", path=str(tmp_path / "image.png"), crop_from_image=affine)
    np.testing.assert_array_equal(draw_background(background, (40, 30)), image)


def test_a_missing_image_is_named(tmp_path):
    affine = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    background = Background("image", path=str(tmp_path / "gone.png"), crop_from_image=affine)
    with pytest.raises(InputError, match=r"gone\.png"):
        draw_background(background, (40, 30))


def test_procedural_clutter_depends_on_its_seed_alone():
    drawn = [draw_background(Background("noise", seed=s), (96, 64)) for s in ((1, 2), (1, 2), (3,))]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert drawn[0].shape == (64, 96, 3) and (drawn[0] != drawn[2]).mean() > 0.5


def test_procedural_clutter_varies_in_colour_and_contrast():
    """Neither grey mist nor one tone for all: no two of its images could be confused."""
    images = [draw_background(Background("noise", seed=(i,)), (48, 48)) for i in range(40)]
    means = np.array([image.mean(axis=(0, 1)) for image in images])
    contrasts = np.array([image.std(axis=(0, 1)).mean() for image in images])
    assert np.ptp(means, axis=0).min() > 60
    assert contrasts.min() > 8 and contrasts.max() > 40


def test_an_unknown_kind_is_a_value_error():
    with pytest.raises(ValueError, match="plain, image or noise, got 'fog'"):
        draw_background(Background("fog"), (4, 4))


def test_photographs_in_other_formats_are_said_to_be_passed_over(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    (tmp_path / "IMG_1.HEIC").write_bytes(b"")
    with pytest.raises(InputError, match=r"no folder with PNG or JPEG images.*save IMG_1\.HEIC as"):
        background_files(str(tmp_path))
    for name in ("a.JPG", "._a.JPG", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [file.name for file in background_files(str(tmp_path))] == ["a.JPG"]
    assert "holds 1 images that are neither PNG nor JPEG, such as IMG_1.HEIC" in caplog.text
