"""What ultralytics' own dataset makes of a folder; run by readers.py in an environment that has it.

    python ultralytics_reader.py data.yaml detect|segment|pose WIDTH read.npz

Images are neither enlarged nor padded nor augmented. read.npz has the names of classes as `names`,
and of each image, as they go into a batch, SPLIT/NAME.size (width, height), .cls (n, 1),
.bboxes (n, 4; centre and size) and .keypoints (n, 9, 3), shares of width and height, and .masks
(n, H, W). Nothing here needs torchvision to work; ultralytics only asks which version there is.
"""

import sys
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
from ultralytics.data.dataset import YOLODataset
from ultralytics.data.utils import check_det_dataset
from ultralytics.utils import DEFAULT_CFG


def main(yaml: str, task: str, width: int, out: str) -> None:
    """See this module."""
    settings = copy(DEFAULT_CFG)
    settings.mask_ratio, settings.overlap_mask = 1, False
    data = check_det_dataset(yaml, autodownload=False)
    found: dict[str, Any] = {
        "names": np.array([data["names"][i] for i in range(len(data["names"]))])
    }
    for part in ("train", "val"):
        dataset = YOLODataset(
            data[part],
            data=data,
            task=task,
            imgsz=width,
            augment=False,
            hyp=settings,
            rect=True,
            batch_size=1,
            pad=0,
        )
        for i in range(len(dataset)):
            read = dataset[i]
            name = f"{part}/{Path(read['im_file']).stem}"
            found[f"{name}.size"] = np.array(read["img"].shape[:0:-1])
            for key in {"cls", "bboxes", "keypoints", "masks"} & read.keys():
                found[f"{name}.{key}"] = read[key].numpy()
    np.savez_compressed(out, **found)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
