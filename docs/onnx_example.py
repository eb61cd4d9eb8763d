"""The pose of an object in a photo, read by an exported network without torch.

python onnx_example.py net.onnx photo.png 200,150,120,120 572.4,573.6,325.3,242
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime


def read_pose(network, photo, box, camera):
    """Rotation (3, 3), translation (3,) in metres, box corners (8, 2) in pixels of the photo."""
    about = json.loads(Path(network).with_suffix(".json").read_text())
    image = cv2.cvtColor(cv2.imread(str(photo)), cv2.COLOR_BGR2RGB)
    (x, y, width, height), (fx, fy, cx, cy) = box, camera
    size, half = about["crop"]["size_px"], about["crop"]["size_px"] / 2
    zoom = size / (about["crop"]["margin"] * max(width, height, 1))
    center = np.array([x + width / 2, y + height / 2])

    large = 2 if zoom < about["crop"]["shrink_below"] else 1  # drawn so, and averaged
    to_crop = np.column_stack([large * zoom * np.eye(2), large * (half - zoom * center) - 0.5])
    crop = cv2.warpAffine(image, to_crop, (large * size, large * size), flags=cv2.INTER_LINEAR,
                          borderMode=cv2.BORDER_REFLECT_101)  # fmt: skip
    crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)

    values = (crop.astype(np.float32) / 128 - 1).transpose(2, 0, 1)[None]  # (1, 3, size, size)
    session = onnxruntime.InferenceSession(str(network), providers=["CPUExecutionProvider"])
    read = session.run(["points"], {"image": values})[0].reshape(-1, 2).astype(np.float64)
    read = read * half / zoom + center
    points = np.array(about["object"]["points_m"])  # the corners of its box, and others
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    _, turn, t = cv2.solvePnP(points, read, K, None, flags=cv2.SOLVEPNP_SQPNP)
    turn, t = cv2.solvePnPRefineLM(points, read, K, None, turn, t)
    return cv2.Rodrigues(turn)[0], t[:, 0], read[:8]


if __name__ == "__main__":
    numbers = [[float(number) for number in text.split(",")] for text in sys.argv[3:5]]
    R, t, corners = read_pose(sys.argv[1], sys.argv[2], *numbers)
    print(f"R\n{R}\nt, metres\n{t}\ncorners, pixels\n{corners}")
