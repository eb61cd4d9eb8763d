"""Points of the object that a person has found in frames, and the pose that they give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.optimize import least_squares

from render.camera import Camera
from render.capture.placed.motion import FREE, Standing
from render.capture.views import BoardView
from render.errors import InputError
from render.mesh.mesh import ObjectModel
from render.transforms import apply, invert, rigid, rodrigues

FEWEST, FEWEST_FRAMES = 4, 2
ON_SURFACE = 0.03  # of the diameter: a point of the object is no further from its mesh
SPREAD = 0.2  # of the diameter: points that are closer to one another tell too little
FLAT = 0.05  # of their spread: points that are no thicker lie on a line
CLICK_SHARE = 0.005  # of a frame's width: one standard deviation of where a person sees a point
WORST_SHARE = 0.03  # of a frame's width: a point that is off by more is somewhere else


@dataclass(frozen=True, eq=False)
class Sighting:
    """A point seen in a frame: its name, the frame, (2,) pixels of the undistorted frame."""

    point: str
    view: BoardView
    px: np.ndarray


@dataclass(frozen=True, eq=False)
class Clicked:
    """points: name -> (3,) metres, object frame. sightings: where frames show them."""

    points: Mapping[str, np.ndarray]
    sightings: tuple[Sighting, ...]

    def off(self, standing: Standing) -> np.ndarray:
        """(n, 2) pixels from where a pose has each sighting to where it was seen."""
        return np.array([s.px - _at(s, self.points, standing) for s in self.sightings])


def check_points(clicked: Clicked, model: ObjectModel, where: str) -> None:
    """Refuse points that cannot give a pose, or are not on the object.

    Raises:
        InputError: names the point, and says how far off it is.
    """
    frames = {s.view.name for s in clicked.sightings}
    named = {s.point for s in clicked.sightings}
    if len(named) < FEWEST or len(frames) < FEWEST_FRAMES:
        raise InputError(
            f"{where}: {len(named)} points in {len(frames)} frames; give at least {FEWEST} points,"
            f" and find them in {FEWEST_FRAMES} or 3 frames"
        )
    vertices = model.mesh.vertices.astype(np.float64)
    for name, point in clicked.points.items():
        away = _distance(point, vertices, model.mesh.faces)
        if away > ON_SURFACE * model.diameter:
            raise InputError(
                f"{where}: point {name} is {1000 * away:.4g} mm from the surface of the mesh, which"
                f" is {1000 * model.diameter:.4g} mm large; give points in the mesh's own unit"
            )
    there = np.array([clicked.points[n] for n in sorted(named)])
    across = float(np.linalg.norm(np.ptp(there, axis=0)))
    if across < SPREAD * model.diameter:
        raise InputError(
            f"{where}: the points are within {1000 * across:.4g} mm of one another on a mesh that"
            f" is {1000 * model.diameter:.4g} mm large; spread them, in the mesh's own unit"
        )
    spread = np.linalg.svd(_centred(there))[1]
    if spread[1] < FLAT * spread[0]:
        raise InputError(f"{where}: the points lie on one line; spread them over the object")
    for s in clicked.sightings:
        if not (0 <= s.px[0] < s.view.camera.width and 0 <= s.px[1] < s.view.camera.height):
            raise InputError(
                f"{where}: point {s.point} at {s.px.tolist()} lies outside frame {s.view.name} of"
                f" {s.view.camera.width}x{s.view.camera.height} pixels"
            )


def pose_of_points(clicked: Clicked, middle: np.ndarray, where: str) -> Standing:
    """The pose on the board that has the points where they were seen.

    Args:
        middle: (3,) of the object's box, object frame.

    Raises:
        InputError: a sighting does not agree with the others; names it.
    """
    starts = _starts(clicked)
    if not starts:
        raise InputError(
            f"{where}: no pose follows from the points; find 4 of them in one frame, or 3 in two"
        )
    found = min((_polished(clicked, Standing(s, middle)) for s in starts), key=lambda f: f[1])[0]
    away = np.linalg.norm(clicked.off(found), axis=1)
    shares = away / [s.view.camera.width for s in clicked.sightings]
    worst = int(np.argmax(shares))
    if shares[worst] > WORST_SHARE:
        s = clicked.sightings[worst]
        raise InputError(
            f"{where}: point {s.point} in frame {s.view.name} lies {away[worst]:.0f} px from where"
            " the other points have it; is it that point, and on the object?"
        )
    return found


def points_normal(clicked: Clicked, standing: Standing) -> tuple[np.ndarray, np.ndarray]:
    """(7, 7) and (7,) of least squares, as each contour gives them."""
    normal, towards = np.zeros((FREE, FREE)), np.zeros(FREE)
    for s, off in zip(clicked.sightings, clicked.off(standing), strict=True):
        sigma = CLICK_SHARE * s.view.camera.width
        point = clicked.points[s.point][None]
        moves = standing.jacobian(s.view.camera, s.view.cam_from_board, point)[0]  # (2, 7)
        weight = 1 / (sigma**2 * (1 + off @ off / (2 * sigma) ** 2))
        normal += weight * moves.T @ moves
        towards += weight * moves.T @ off
    return normal, towards


def _starts(clicked: Clicked) -> list[np.ndarray]:
    """board_from_obj by PnP in each frame with 4 points, and by the points that two frames show."""
    starts = []
    for view in {s.view.name: s.view for s in clicked.sightings}.values():
        here = [s for s in clicked.sightings if s.view.name == view.name]
        if len(here) >= FEWEST:
            points = np.array([clicked.points[s.point] for s in here])
            px = np.array([s.px for s in here])
            starts += [invert(view.cam_from_board) @ pose for pose in _pnp(points, px, view.camera)]
    names, there = _triangulated(clicked)
    if len(names) >= 3:
        starts.append(_fitted(np.array([clicked.points[n] for n in names]), there))
    return starts


def _pnp(points: np.ndarray, px: np.ndarray, camera: Camera) -> list[np.ndarray]:
    found, rotations, shifts, _ = cv2.solvePnPGeneric(
        points, px, camera.K, None, flags=cv2.SOLVEPNP_SQPNP
    )
    if not found:
        return []
    return [rigid(rodrigues(r.ravel()), t.ravel()) for r, t in zip(rotations, shifts, strict=True)]


def _triangulated(clicked: Clicked) -> tuple[list[str], np.ndarray]:
    """Names of the points that two frames or more show, and (n, 3) where they are on the board."""
    names, there = [], []
    for name in clicked.points:
        rows = []
        for s in (s for s in clicked.sightings if s.point == name):
            P = s.view.camera.K @ s.view.cam_from_board[:3]
            rows += [s.px[0] * P[2] - P[0], s.px[1] * P[2] - P[1]]
        if len(rows) >= 4:
            x = np.linalg.svd(np.array(rows))[2][-1]
            names.append(name)
            there.append(x[:3] / x[3])
    return names, np.array(there)


def _fitted(points: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The rigid transform (4, 4) that brings (n, 3) points closest to others (W. Kabsch, 1976)."""
    U, _, Vt = np.linalg.svd(_centred(there).T @ _centred(points))
    R = U @ np.diag([1, 1, np.linalg.det(U @ Vt)]) @ Vt
    return rigid(R, there.mean(axis=0) - R @ points.mean(axis=0))


def _polished(clicked: Clicked, start: Standing) -> tuple[Standing, float]:
    """A pose after least squares over the sightings, and its robust cost."""
    sigma = np.array([CLICK_SHARE * s.view.camera.width for s in clicked.sightings])

    def off(motion: np.ndarray) -> np.ndarray:
        moved = start.moved(np.array([*motion, 0.0]))
        return (clicked.off(moved) / sigma[:, None]).ravel()

    solved = least_squares(off, np.zeros(6), loss="soft_l1", x_scale=[0.1] * 3 + [0.01] * 3)
    return start.moved(np.array([*solved.x, 0.0])), float(solved.cost)


def _at(s: Sighting, points: Mapping[str, np.ndarray], standing: Standing) -> np.ndarray:
    seen = apply(s.view.cam_from_board, standing.place(points[s.point][None]))
    return s.view.camera.project(seen)[0]


def _centred(points: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    centred: np.ndarray = np.asarray(points) - np.mean(points, axis=0)
    return centred


def _distance(point: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> float:
    """Metres from a (3,) point to the nearest place of a mesh."""
    from trimesh.triangles import closest_point

    corners = vertices[faces]
    nearest = closest_point(corners, np.broadcast_to(point, (len(faces), 3)))
    return float(np.linalg.norm(nearest - point, axis=1).min())
