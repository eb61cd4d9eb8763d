"""A hand that moves: frames that follow one another, all that stands around it staying as it is.

From one gesture to the next, and from one place and direction to the next, it goes as people's
hands go, with the least jerk: T. Flash and N. Hogan, "The coordination of arm movements: an
experimentally confirmed mathematical model", Journal of Neuroscience 5, 1985.
"""

from dataclasses import replace
from functools import cached_property

import numpy as np

from render.hand.contact import HandCapsules
from render.hand.pose import palm_frame
from render.hand.props import FOREARM
from render.hand.sample import TRIES
from render.hand.scene import HAND, PURPOSES, HandRandomizer, direction
from render.scene.spec import Placed, SceneSpec, rows
from render.transforms import apply, invert

FPS = 24  # frames a second
SPAN = 24  # frames from one gesture to the next
REACH = np.array([0.08, 0.05, 0.05])  # metres that the palm goes from where it began, each way
PURPOSE = max(PURPOSES.values()) + 1  # of the streams that gestures and directions come from


class HandMotion(HandRandomizer):
    """Draws the frames of one scene in time; each is the same, whichever others are drawn.

    What is around the hand, and where, is as in the first scene of a HandRandomizer of the same
    arguments. Angles and directions stay within their ranges, since they go straight from one to
    the next, and no finger goes through another on the way.
    """

    def scene(self, frame_id: int) -> SceneSpec:
        """The scene at frame_id / FPS seconds; its first object is the annotated hand."""
        first, (hand, *around) = self._first, self._first.objects
        moved = self._moved(frame_id)
        if around and around[0].obj_id == FOREARM:
            # The arm goes with its hand; the wrist between them stays as it is bent.
            cam_from_arm = moved.matrix @ invert(hand.matrix) @ around[0].matrix
            around[0] = replace(around[0], cam_from_obj=rows(cam_from_arm))
        sensor = first.depth_sensor
        if sensor is not None:  # the same camera, with new noise
            rng = np.random.default_rng([self.seed, frame_id, PURPOSES["sensor"]])
            sensor = replace(sensor, seed=tuple(rng.integers(2**31, size=2).tolist()))
        return replace(first, objects=(moved, *around), depth_sensor=sensor)

    def gesture(self, frame_id: int) -> np.ndarray:
        """(D,) how the annotated hand is bent in a frame, radians."""
        key, share = divmod(frame_id, SPAN)
        return _between(self._gesture_at(key), self._gesture_at(key + 1), share / SPAN)

    @cached_property
    def _first(self) -> SceneSpec:
        """The scene that all is taken from, but for the hand."""
        return super().scene(0)

    @cached_property
    def _own_shape(self) -> np.ndarray:
        """(S,) coefficients of the annotated hand."""
        posture = self._first.objects[0].posture
        assert posture is not None
        return np.array(posture.shape)

    @cached_property
    def _capsules(self) -> HandCapsules:
        return HandCapsules(self.model, self._own_shape)

    @cached_property
    def _palm_at(self) -> np.ndarray:
        """(3,) where the palm begins, metres, camera frame."""
        middle, _ = palm_frame(self.model, self._own_shape)
        return apply(self._first.objects[0].matrix, middle[None])[0]

    @cached_property
    def _gestures(self) -> list[np.ndarray]:
        """(D,) angles, radians, of those that have been drawn so far."""
        return []

    def _moved(self, frame_id: int) -> Placed:
        """The annotated hand in a frame."""
        # Half a span after its fingers the hand sets out, so that something always moves.
        key, share = divmod(frame_id + SPAN // 2, SPAN)
        place = _between(self._place_at(key), self._place_at(key + 1), share / SPAN)
        cam_from_palm = place[:3], direction(place[3:])
        return self._posed(HAND, self.gesture(frame_id), self._own_shape, cam_from_palm)

    def _gesture_at(self, key: int) -> np.ndarray:
        """(D,) angles of the key-th gesture, to which fingers find a way from the one before."""
        while len(self._gestures) <= key:
            rng = np.random.default_rng([self.seed, len(self._gestures), PURPOSE])
            for _ in range(TRIES):
                drawn = self._gesture(HAND, rng, self._capsules)
                before = self._gestures[-1] if self._gestures else drawn
                way = [_between(before, drawn, i / SPAN) for i in range(SPAN + 1)]
                if self._capsules.overlap(np.array(way)).max() <= 0:
                    break
            else:
                raise RuntimeError(f"fingers cross on each of {TRIES} ways to gestures")
            self._gestures.append(drawn)
        return self._gestures[key]

    def _place_at(self, key: int) -> np.ndarray:
        """(6,) the key-th place of the palm, metres, and its turn, radians."""
        rng = np.random.default_rng([self.seed, key, PURPOSE + 1])
        palm = self._palm_at + REACH * rng.uniform(-1, 1, 3)
        return np.concatenate([palm, self._turn(rng)])


def _between(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    """Where a movement of least jerk is after this share of its time."""
    return start + share**3 * (10 - 15 * share + 6 * share**2) * (end - start)
