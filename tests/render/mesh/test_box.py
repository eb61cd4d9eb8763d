"""Bounding boxes."""

import numpy as np

from render.mesh.box import box_corners


def test_box_corners_run_over_z_first_then_y_then_x():
    corners = box_corners(np.array([[0, 10, 100], [1, 11, 101]]))
    bits = np.array([[int(b) for b in f"{i:03b}"] for i in range(8)])
    np.testing.assert_array_equal(corners, bits + [0, 10, 100])
