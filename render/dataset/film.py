"""Frames of a camera that goes through a scene at rest: where what each shows is in the others."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from render.frame import Frame
from render.scene.spec import SceneSpec
from render.sensor.depth import slope
from render.transforms import apply, invert

SAME_DEPTH = 2e-3  # share of the depth within which two pixels show the same surface
Seen = tuple[SceneSpec, Frame]


def with_flow(seen: Iterable[Seen], shown: range) -> Iterator[Seen]:
    """Consecutive frames of a film, with their flow.

    Args:
        shown: numbers of those to yield; the others are there for the flow to them.
    """
    coming = iter(seen)
    before, here, number = None, next(coming, None), 0
    while here is not None:
        after = next(coming, None)
        if number in shown:
            spec, frame = here
            forward, backward = (_flow_between(here, other) for other in (after, before))
            yield spec, replace(frame, flow_forward=forward, flow_backward=backward)
        before, here, number = here, after, number + 1


def optical_flow(here: Frame, there: Frame, there_from_here: np.ndarray) -> np.ndarray:
    """How far in the image what a pixel shows moves, from one frame to another of the same scene.

    Exact: the point of the surface behind the middle of the pixel, seen by the other camera. It is
    unknown where there is nothing, where the point is outside the other image, and where the pixel
    that it falls into shows another surface, whose id or depth differs.

    Args:
        here, there: with ids, and depth as it was drawn.
        there_from_here: (4, 4), from one camera to the other.

    Returns:
        (H, W, 2) float64 pixels, NaN where unknown.
    """
    assert here.drawn_depth is not None and there.drawn_depth is not None
    assert here.instance is not None and there.instance is not None
    camera = there.camera
    known = here.drawn_depth > 0
    v, u = np.nonzero(known)
    lifted = here.camera.unproject(here.drawn_depth.astype(np.float64))[known]
    points = apply(there_from_here, lifted)
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = camera.project(points)
        inside = (np.abs(pixels - (np.array(camera.size) - 1) / 2) < np.array(camera.size) / 2).all(
            axis=1
        )
    kept = inside & camera.before(points)
    u, v, pixels, z = u[kept], v[kept], pixels[kept], points[kept, 2]

    column, row = np.rint(pixels).astype(np.intp).T
    # On a plane 1 / z is linear in the pixel: what it is where the point falls within the pixel.
    inverse = 1 / np.maximum(there.drawn_depth.astype(np.float64), 1e-9)
    du, dv = (pixels - np.stack([column, row], axis=-1)).T
    expected = inverse[row, column]
    expected = expected + du * slope(inverse, 1)[row, column] + dv * slope(inverse, 0)[row, column]
    same = np.abs(z * expected - 1) < SAME_DEPTH
    same &= there.instance[row, column] == here.instance[v, u]
    flow = np.full((*here.drawn_depth.shape, 2), np.nan)
    flow[v[same], u[same]] = (pixels - np.stack([u, v], axis=-1))[same]
    return flow


def _flow_between(here: Seen, other: Seen | None) -> np.ndarray:
    (spec, frame) = here
    if other is None:
        return np.full((frame.camera.height, frame.camera.width, 2), np.nan)
    there, from_world = other[0].cam_from_world, spec.cam_from_world
    assert there is not None and from_world is not None
    return optical_flow(frame, other[1], np.array(there) @ invert(np.array(from_world)))
