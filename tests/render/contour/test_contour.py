"""The contour of a drawn object, and where colours say that it is."""

import numpy as np
import pytest

from render.contour.contour import contour_of, offsets
from render.frame import Frame
from tests.small_dataset import CAMERA


@pytest.mark.parametrize("larger", [-4, 0, 5])
def test_a_contour_is_found_where_colours_end(larger):
    y, x = np.indices((128, 128))
    distance = np.hypot(x - 63.5, y - 63.5)
    drawn = Frame(
        CAMERA,
        instance=(distance < 30).astype(np.uint8),
        coordinates=np.stack([x, y, 0 * x], axis=-1).astype(np.float32),
    )
    contour = contour_of(drawn)
    np.testing.assert_array_equal(contour.points[:, :2], contour.px)
    radial = contour.px - 63.5
    radial /= np.linalg.norm(radial, axis=1, keepdims=True)
    assert (np.sum(radial * contour.outward, axis=1) > 0.95).all()
    said = np.clip(30 + larger - distance, -1, 1).astype(np.float32) * 2
    found, weight = offsets(said, contour.px, contour.outward, 10)
    assert abs(np.median(found) - larger) < 0.5 and (weight > 0).all()
