"""Textures in place of the colours of meshes."""

from dataclasses import replace

import numpy as np
import pytest

from render.draw import gl_paint
from render.draw.rasterizer import Rasterizer
from render.environment.spec import Environment
from render.errors import InputError
from render.image_file import write_png
from render.scene.spec import Material, Texture
from tests.scenes import FULL_AMBIENT, SMALL, at, draw, quads, scene, square

SIDE = 16  # texels
TEXEL = 0.01  # metres: a pixel of SMALL at 1 m


@pytest.fixture
def picture(tmp_path, rng):
    image = rng.integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8)
    write_png(tmp_path / "a.png", image)
    return image, Texture(SIDE * TEXEL, path=str(tmp_path / "a.png"))


def wall(texture, half=0.5, **changes):
    mesh = {1: square(half)}
    placed = at([0, 0, 1], material=Material(texture=texture), **changes)
    return draw(mesh, scene(SMALL, placed, ambient=FULL_AMBIENT))[0]


def expected(image: np.ndarray) -> np.ndarray:
    """What SMALL sees of a wall at 1 m, a texel in each pixel: x is rightwards, y is downwards and
    the texture's v, which is up in the picture."""
    v, u = np.mgrid[: SMALL.height, : SMALL.width]
    x, y = np.floor(u - 31.5).astype(int), np.floor(v - 23.5).astype(int)
    return image[SIDE - 1 - y % SIDE, x % SIDE]


def test_a_picture_lies_on_a_wall_as_large_as_it_is_said_to_be(picture):
    image, texture = picture
    np.testing.assert_allclose(wall(texture).rgb.astype(int), expected(image), atol=1)


def test_its_size_is_that_after_the_stretch(picture):
    image, texture = picture
    seen = wall(texture, half=0.1, stretch=(5.0, 6.0, 1.0))
    np.testing.assert_allclose(seen.rgb.astype(int), expected(image), atol=1)


def test_a_broad_picture_keeps_its_shape(picture, tmp_path):
    image, texture = picture
    broad = np.concatenate([image, image], axis=1)
    write_png(tmp_path / "broad.png", broad)
    broad_texture = Texture(2 * texture.tile, path=str(tmp_path / "broad.png"))
    np.testing.assert_array_equal(wall(broad_texture).rgb, wall(texture).rgb)


@pytest.mark.parametrize("physical", [False, True])
def test_a_texture_of_one_colour_is_that_colour_of_the_mesh(tmp_path, physical):
    """On a cube seen on three sides, in either light; and depth and ids stay as they are."""
    write_png(tmp_path / "plain.png", np.full((5, 7, 3), (200, 100, 50), np.uint8))
    corners = np.array([[(x, y, z) for x, y in ((0, 0), (0, 1), (1, 1), (1, 0))] for z in (0, 1)])
    sides = [np.roll(corners, turn, axis=2) for turn in range(3)]
    colored = quads(0.2 * np.concatenate(sides) - 0.1, (200, 100, 50))
    white = replace(colored, colors=np.full_like(colored.colors, 9))
    R = np.array([[0.8, 0.0, 0.6], [-0.36, 0.8, 0.48], [-0.48, -0.6, 0.64]])
    texture = Texture(0.1, path=str(tmp_path / "plain.png"))
    one = Material(tint=(0.9, 0.8, 0.7), gloss=0.2, roughness=0.5)
    light = {"environment": Environment("studio", seed=(1,))} if physical else {}
    frames = [
        draw({1: mesh}, scene(SMALL, at([0, 0, 0.6], R, material=material), **light))[0]
        for mesh, material in ((colored, one), (white, replace(one, texture=texture)))
    ]
    assert (frames[0].instance == 1).sum() > 300
    np.testing.assert_allclose(*(frame.rgb.astype(int) for frame in frames), atol=1)
    for name in ("depth", "instance"):
        np.testing.assert_array_equal(*(getattr(frame, name) for frame in frames))


def test_what_is_cut_out_stays_so(picture):
    alpha = np.full((SIDE, SIDE, 4), 255, np.uint8)
    alpha[:, : SIDE // 2, 3] = 0
    uv = np.array([[0, 0], [0, 1], [1, 1], [1, 0]], np.float32)
    board = square(0.2, uv=uv, texture=alpha, opacity=np.full(4, 1.5, np.float32))
    own, painted = (
        draw({1: board}, scene(SMALL, at([0, 0, 1], material=Material(texture=texture))))[0]
        for texture in (None, picture[1])
    )
    assert 0 < (own.instance == 1).sum() < 1000
    np.testing.assert_array_equal(own.instance, painted.instance)
    assert (own.rgb != painted.rgb).any()


def test_procedural_textures_and_meshes_without_one_are_drawn_in_one_frame(picture):
    both = [
        at([x, 0, 1], obj_id=i, material=Material(texture=texture))
        for x, i, texture in ((-0.15, 1, Texture(0.2, kind="checker", number=3)), (0.15, 2, None))
    ]
    meshes = {1: square(0.1), 2: square(0.1)}
    frame = draw(meshes, scene(SMALL, *both, ambient=FULL_AMBIENT))[0]
    colors = [np.unique(frame.rgb[frame.instance == i], axis=0) for i in (1, 2)]
    assert len(colors[0]) > 10
    np.testing.assert_array_equal(colors[1], [[200, 100, 50]])


def test_few_pictures_are_kept_and_large_ones_are_made_smaller(tmp_path, monkeypatch):
    monkeypatch.setattr(gl_paint, "KEPT", 2)
    sizes = []
    upload = gl_paint.upload_texture
    monkeypatch.setattr(
        gl_paint, "upload_texture", lambda c, image: sizes.append(image.shape) or upload(c, image)
    )
    textures = []
    for i in range(3):
        write_png(tmp_path / f"{i}.png", np.full((40, 3000 + i, 3), 80 * i, np.uint8))
        textures.append(Texture(0.1, path=str(tmp_path / f"{i}.png")))
    with Rasterizer({1: square(0.5)}) as rasterizer:
        for i in (0, 1, 0, 2, 0, 1):
            placed = at([0, 0, 1], material=Material(texture=textures[i]))
            (frame,) = rasterizer.render([scene(SMALL, placed, ambient=FULL_AMBIENT)])
            assert (frame.rgb == 80 * i).all()
    assert len(sizes) == 4 and all(shape == (14, 1024, 3) for shape in sizes)


def test_a_picture_that_is_gone_is_named(picture, tmp_path):
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match=r"a\.png: no such file$"):
        wall(picture[1])
