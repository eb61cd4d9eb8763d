"""Which frames of a film are trained on and which are tested on."""

import numpy as np

BLOCKS = 3  # that are held out of a long film
FEW = 12  # frames: of fewer, the last ones are held out


def held_out(count: int, share: float) -> np.ndarray:
    """(count,) bool, the frames to test on: blocks of neighbours in time.

    Neighbours look alike; a frame that is tested on beside one that was trained on tells little.
    """
    wanted = round(share * count)
    if share > 0 and count > 1:
        wanted = min(max(wanted, 1), count - 1)
    chosen = np.zeros(count, bool)
    blocks = BLOCKS if count >= FEW else 1
    for i, size in enumerate(np.diff(np.linspace(0, wanted, blocks + 1).round().astype(int))):
        end = round((i + 1) * count / blocks)  # each at the end of its part of the film
        chosen[end - size : end] = True
    return chosen
