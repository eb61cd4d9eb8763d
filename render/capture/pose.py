"""The board's corners in an image, and the lens -> the board's pose, and how good it is."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from render.capture.board import Board
from render.capture.detect import Seen
from render.capture.lens import Lens
from render.transforms import rigid, rotation_angle

OUTLIER_SIGMAS, OUTLIER_PX = 4.0, 0.2
ROUNDS = 4
FEWEST = 6  # corners of any pose
NARROWEST = 0.3  # squares, root mean square, across the line along which most corners lie
NEAR_PX = 1.5  # corners to begin with
MOST_FIT = 0.6  # share of the corners that must belong to it
FOLDS = 4  # parts of the corners, each left out once
AMBIGUOUS = 2.0  # times the rms of the better pose: another one this good might be the true one
APART_DEG = 1.0
MOST_TILT_DEG = 0.2  # one standard deviation
LEAST_NOISE_PX = 0.1  # no corner is trusted further


@dataclass(frozen=True, eq=False)
class BoardPose:
    """The pose of the board in one image.

    seen: with the corners that belong to it, others taken out. cam_from_board: (4, 4) metres.
    """

    seen: Seen
    cam_from_board: np.ndarray
    rms_px: float
    held_out_px: float

    @property
    def name(self) -> str:
        return self.seen.name


class LeftOut(Exception):
    """Why an image is of no use; the end of a sentence that its name begins."""


def board_pose(seen: Seen, board: Board, lens: Lens, least: int, most_rms: float) -> BoardPose:
    """Fit the board's pose.

    Args:
        least: corners.
        most_rms: pixels.

    Raises:
        LeftOut: too few corners, too large a residual, or they leave the pose open.
    """
    check_count(seen, least)
    _check_width(seen, board)
    fits = _both_poses(seen, board, lens)
    found = len(seen.ids)
    seen, cam_from_board, rms = fits[0]
    if len(seen.ids) < MOST_FIT * found:
        raise LeftOut(f"only {len(seen.ids)} of its {found} corners fit one pose of the board")
    check_count(seen, least)
    _check_width(seen, board)
    if rms > most_rms:
        raise LeftOut(
            f"its corners miss the board by {rms:.2f} px, at most {most_rms:g} are allowed"
        )
    for _, other, other_rms in fits[1:]:
        apart = np.degrees(rotation_angle(cam_from_board[:3, :3], other[:3, :3]))
        if apart > APART_DEG and other_rms < AMBIGUOUS * max(rms, LEAST_NOISE_PX):
            raise LeftOut(
                f"two poses {apart:.0f} degrees apart fit the board; film it nearer and slantwise"
            )
    tilt = np.degrees(_tilt_std(seen, board, lens, cam_from_board, rms))
    if tilt > MOST_TILT_DEG:
        raise LeftOut(
            f"its {len(seen.ids)} corners leave the board's tilt open by {tilt:.1f} degrees"
        )
    held_out = _held_out(seen, board, lens, cam_from_board)
    return BoardPose(seen, cam_from_board, rms, held_out)


def rough_pose(seen: Seen, board: Board, lens: Lens) -> BoardPose:
    """Where the board is by a lens that is no more than guessed, for which no gate would be fair.

    Raises:
        LeftOut: too few corners, corners in one line, or a board behind the camera.
    """
    check_count(seen, FEWEST)
    _check_width(seen, board)
    kept, cam_from_board, error = _both_poses(seen, board, lens)[0]
    if not np.isfinite(error):
        raise LeftOut("its corners fit no board in front of the camera")
    return BoardPose(kept, cam_from_board, error, float("nan"))


def check_count(seen: Seen, least: int) -> None:
    """Refuse an image of too few corners."""
    if len(seen.ids) == 0:
        raise LeftOut("no board is seen")
    if len(seen.ids) < least:
        raise LeftOut(f"{len(seen.ids)} corners of the board are seen, of at least {least}")


def _check_width(seen: Seen, board: Board) -> None:
    """Refuse corners in one line, or nearly so, about which the board could turn."""
    points = board.corners[seen.ids, :2]
    widths = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) / len(points) ** 0.5
    if widths[-1] < NARROWEST * board.square:
        raise LeftOut(f"its {len(seen.ids)} corners are in one line")


def residuals(seen: Seen, board: Board, lens: Lens, cam_from_board: np.ndarray) -> np.ndarray:
    """How far corners lie from where the board's pose puts them: (n,) pixels."""
    points = board.corners[seen.ids] @ cam_from_board[:3, :3].T + cam_from_board[:3, 3]
    return np.linalg.norm(lens.project(points) - seen.pixels, axis=1)


def without_outliers(seen: Seen, errors: np.ndarray) -> Seen:
    """The corners that do not lie much further off than most do."""
    return part_of(seen, errors <= outlier_limit(errors, OUTLIER_PX))


def outlier_limit(errors: np.ndarray, least: float) -> float:
    """The distance, in pixels, beyond which a corner is half hidden, or a wrong one."""
    sigma = np.median(errors) / 1.1774  # of each coordinate: distances have Rayleigh's distribution
    return max(OUTLIER_SIGMAS * float(sigma), least)


def part_of(seen: Seen, kept: np.ndarray | slice) -> Seen:
    """Some of the corners; kept: (n,) bool, or indices."""
    return Seen(seen.index, seen.name, seen.ids[kept], seen.pixels[kept], seen.sharpness)


def rms(errors: np.ndarray | Sequence[float]) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(errors))))


def _both_poses(seen: Seen, board: Board, lens: Lens) -> list[tuple[Seen, np.ndarray, float]]:
    """The two poses that a plane may have, refined, the better first, with the corners that fit."""
    points = board.corners[seen.ids]
    flat = cv2.undistortPoints(seen.pixels.reshape(-1, 1, 2), lens.K, lens.distortion)
    _, near = cv2.findHomography(points[:, :2], flat, cv2.RANSAC, NEAR_PX / lens.K[0, 0])
    start = np.flatnonzero(near) if near is not None and near.sum() >= FEWEST else slice(None)
    _, rvecs, tvecs, _ = cv2.solvePnPGeneric(
        points[start], flat[start], np.eye(3), np.zeros(5), flags=cv2.SOLVEPNP_IPPE
    )
    fits = []
    for rvec, tvec in zip(rvecs, tvecs, strict=True):
        fit = rigid(cv2.Rodrigues(rvec)[0], tvec.ravel())
        corners = part_of(seen, start)
        for _ in range(ROUNDS):
            fit = refine(corners, board, lens, fit)
            kept = without_outliers(seen, residuals(seen, board, lens, fit))
            if len(kept.ids) < FEWEST or np.array_equal(kept.ids, corners.ids):
                break
            corners = kept
        in_front = (board.outline @ fit[2, :3] + fit[2, 3] > 0).all()
        error = rms(residuals(corners, board, lens, fit)) if in_front else np.inf
        fits.append((corners, fit, error))
    # A pose that explains few corners well is not the better one.
    return sorted(fits, key=lambda fit: fit[2] * len(seen.ids) / len(fit[0].ids))


def refine(seen: Seen, board: Board, lens: Lens, cam_from_board: np.ndarray) -> np.ndarray:
    """The nearest pose of least squared error in pixels, by Levenberg and Marquardt's method."""
    rvec, _ = cv2.Rodrigues(cam_from_board[:3, :3])
    tvec = cam_from_board[:3, 3:].copy()
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-10)
    rvec, tvec = cv2.solvePnPRefineLM(
        board.corners[seen.ids], seen.pixels, lens.K, lens.distortion, rvec, tvec, criteria=stop
    )
    return rigid(cv2.Rodrigues(rvec)[0], tvec.ravel())


def _held_out(seen: Seen, board: Board, lens: Lens, cam_from_board: np.ndarray) -> float:
    """Rms of corners to poses that were fitted without them."""
    fold = np.arange(len(seen.ids)) % FOLDS
    errors = []
    for i in range(FOLDS):
        without = refine(part_of(seen, fold != i), board, lens, cam_from_board)
        errors.append(residuals(part_of(seen, fold == i), board, lens, without))
    return rms(np.concatenate(errors))


def _tilt_std(
    seen: Seen, board: Board, lens: Lens, cam_from_board: np.ndarray, error: float
) -> float:
    """One standard deviation of the rotation about its worst axis, radians.

    From the residual's derivatives, as least squares have it: sigma^2 (J^T J)^-1.
    """
    rvec, _ = cv2.Rodrigues(cam_from_board[:3, :3])
    _, jacobian = cv2.projectPoints(
        board.corners[seen.ids], rvec, cam_from_board[:3, 3], lens.K, lens.distortion
    )
    J = jacobian[:, :6]
    # In turns about the camera's axes, not in rotation vectors: their derivative by each other.
    _, of_rvec = cv2.Rodrigues(rvec)
    R = cam_from_board[:3, :3]
    turns = np.empty((3, 3))
    for k in range(3):
        skew = of_rvec[k].reshape(3, 3) @ R.T
        turns[:, k] = skew[2, 1], skew[0, 2], skew[1, 0]
    J = np.column_stack([J[:, :3] @ np.linalg.inv(turns), J[:, 3:]])
    covariance = np.linalg.pinv(J.T @ J)[:3, :3] * max(error / np.sqrt(2), LEAST_NOISE_PX) ** 2
    return float(np.sqrt(np.linalg.eigvalsh(covariance)[-1]))
