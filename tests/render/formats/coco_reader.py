"""COCO's files as pycocotools, its own reader, has them."""

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

KEYS = {"bbox": "bbox", "segm": "segmentation", "keypoints": "keypoints"}


def decode_rle(rle: dict[str, Any]) -> np.ndarray:
    """(H, W) bool of uncompressed run lengths."""
    return masks.decode(masks.frPyObjects(rle, *rle["size"])).view(bool)


def read_coco(file: Path) -> COCO:
    """A file whose images and annotations all have ids of their own, and areas of their masks."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(file)
    assert len(coco.imgs) == len(coco.dataset["images"]), "ids of images"
    assert len(coco.anns) == len(coco.dataset["annotations"]), "ids of annotations"
    for record in coco.anns.values():
        assert record["area"] == masks.area(coco.annToRLE(record)), record["id"]
    return coco


def precision_of_itself(coco: COCO, kind: str) -> float:
    """COCOeval's average precision of a file's annotations as results; kind: a key of KEYS."""
    key, results = KEYS[kind], []
    for record in coco.dataset["annotations"]:
        found = coco.annToRLE(record) if kind == "segm" else record[key]
        ids = {name: record[name] for name in ("image_id", "category_id")}
        results.append(ids | {key: found, "score": 1.0})
    with contextlib.redirect_stdout(io.StringIO()):
        score = COCOeval(coco, coco.loadRes(results), kind)
        if kind == "keypoints":
            score.params.kpt_oks_sigmas = np.full(9, 0.05)  # its own 17 are of people
        score.evaluate()
        score.accumulate()
        score.summarize()
    return float(score.stats[0])
