from dataclasses import replace

import numpy as np
import pytest

from render.camera import Camera
from render.errors import InputError
from render.formats.bop import read_split
from render.formats.bop_writer import write_scene
from render.frame import Frame
from render.transforms import rigid
from tests.train.objects.test_score import BOX, MODELS
from train.objects.depth import depth_renderer

CAMERA = Camera(np.array([[400.0, 0, 90.3], [0, 400, 60.2], [0, 0, 1]]), 180, 120)


@pytest.fixture
def images(tmp_path):
    """Two images, with depth; the second's is another camera."""
    other = replace(CAMERA, K=CAMERA.K + [[0, 0, 20.4], [0, 0, -7.9], [0, 0, 0]])
    depth = np.ones((120, 180), np.float32)
    frames = [(i, Frame(c, depth=depth), None) for i, c in enumerate((CAMERA, other))]
    write_scene(tmp_path / "test" / "000001", frames)
    (tmp_path / "camera.json").write_text('{"width": 180, "height": 120}')
    return read_split(tmp_path, "test")


def test_an_object_is_drawn_alone_as_bop_toolkit_draws_it(images):
    """Where a ray through a pixel's centre, half a pixel from its corner, meets the card."""
    x, y, z = 0.003, -0.002, 0.8
    with depth_renderer(images, MODELS) as render_depth:
        if render_depth is None:
            pytest.skip("no OpenGL")
        for image in images:
            depth = render_depth(image.camera, 1, rigid(np.eye(3), [x, y, z]))
            K = image.camera.K
            v, u = np.mgrid[:120, :180] + 0.5
            X, Y = z * (u - K[0, 2]) / K[0, 0], z * (v - K[1, 2]) / K[1, 1]
            inside = (abs(X - x) < BOX[1, 0]) & (abs(Y - y) < BOX[1, 1])
            np.testing.assert_array_equal(depth > 0, inside)
            np.testing.assert_allclose(depth[inside], z, rtol=1e-6)


def test_without_depth_or_opengl_nothing_is_drawn(images, monkeypatch, caplog):
    def broken(meshes):
        raise InputError("no OpenGL here")

    monkeypatch.setattr("render.draw.rasterizer.Rasterizer", broken)
    with depth_renderer(images, MODELS) as render_depth:
        assert render_depth is None
    assert "without VSD: no OpenGL here" in caplog.text
    for file in (images[0].scene_dir / "depth").iterdir():
        file.unlink()
    (images[0].scene_dir / "depth").rmdir()
    with depth_renderer(images, MODELS) as render_depth:
        assert render_depth is None
