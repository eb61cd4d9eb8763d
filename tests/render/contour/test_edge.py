"""Edges that are found to a part of a pixel."""

import cv2
import numpy as np
import pytest

from render.contour.edge import edge_offsets, evenness


@pytest.mark.parametrize("blur", [0.6, 1.2])
@pytest.mark.parametrize("away", [-1.3, 0.0, 0.4, 1.7])
def test_an_edge_is_where_it_is_however_blurred(away, blur):
    # A disc of radius 40.5 + away, four samples a pixel each way; the contour at 40 is half inside.
    fine = (np.indices((512, 512)) + 0.5) / 4 - 0.5
    disc = np.hypot(*(fine - 63.5)) < 40.5 + away
    share = cv2.resize(disc.astype(np.float32), (128, 128), interpolation=cv2.INTER_AREA)
    share = cv2.GaussianBlur(share, (0, 0), blur)[..., None]
    rgb = np.rint(share * [200, 80, 40] + (1 - share) * [60, 90, 160]).astype(np.uint8)
    angle = np.linspace(0, 2 * np.pi, 90)
    outward = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    offset, weight = edge_offsets(rgb, 63.5 + 40 * outward, outward)
    assert abs(np.median(offset) - away) < 0.12 and np.abs(offset - away).max() < 0.3
    assert (weight > 0.3).all()


def test_where_nothing_changes_nothing_is_said():
    px, outward = np.full((5, 2), 30.0), np.tile([1.0, 0.0], (5, 1))
    _, weight = edge_offsets(np.full((64, 64, 3), 90, np.uint8), px, outward)
    assert (weight < 1e-3).all()


def test_a_lip_in_the_colour_of_what_is_behind_it_is_mistrusted():
    y, x = np.indices((128, 128))
    away = np.hypot(y - 63.5, x - 63.5)
    behind, lip, inner = np.array([170, 120, 80]), np.array([200, 150, 40]), np.array([40, 90, 110])
    within = away < 40.5
    lipped = np.where((away < 38.5)[..., None], inner, lip).astype(np.uint8)
    plain = np.broadcast_to(inner.astype(np.uint8), lipped.shape)
    photo = np.where(within[..., None], lipped, behind).astype(np.uint8)
    angle = np.linspace(0, 2 * np.pi, 90)
    outward = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    px = np.rint(63.5 + 39.5 * outward)
    offset, _ = edge_offsets(photo, px, outward)
    assert np.median(offset) < -1  # it takes the lip's inner edge for the contour
    assert evenness(lipped, within, px, outward).max() < 0.1
    assert evenness(plain, within, px, outward).min() > 0.99


def test_where_the_object_is_narrower_than_a_line_nothing_is_trusted():
    within = np.zeros((64, 64), bool)
    within[:, 30:33] = True
    px, outward = np.full((5, 2), 32.0), np.tile([1.0, 0.0], (5, 1))
    assert (evenness(np.full((64, 64, 3), 90, np.uint8), within, px, outward) == 0).all()
