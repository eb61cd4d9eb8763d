"""The frames of a film with their poses, written as a BOP dataset, or added to one.

Each film is a scene of `real/`: as it was filmed, odd numbers. Its training frames once more with
another background in place of the board, even numbers. `split.json` names the latter to train on,
and the held-out frames of the former to test on.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from render import plain
from render.capture.lens import Lens, write_lens
from render.capture.quality import over_films
from render.capture.views import BoardView
from render.errors import InputError
from render.formats.bop_records import pose_to_mm
from render.formats.bop_writer import measure, write_camera_json, write_scene
from render.frame import Annotation, Frame
from render.json_file import read_json, write_text
from render.mesh.mesh import ObjectModel, write_models
from render.whole_file import held, whole_folder, work_area

SPLIT, RECORD, QUALITY, SPLIT_FILE = "real", "capture.json", "quality.json", "split.json"
_FILM = plain.record({"scene": plain.whole(1, 10**6)}, others=True)
_RECORD = plain.record(
    {"object": plain.record({}, others=True), "films": plain.list_of(_FILM, most=10**4)},
    others=True,
)


@dataclass(frozen=True, eq=False)
class Captured:
    """A film with all that is written of it.

    masks: (H, W) bool of each view, what is visible. whole: gives a view's whole silhouette on
    `measure`'s canvas. tested: (n,) bool. picture: gives a view's image with another background;
    None leaves the board. settings: of capture.json. quality: the record of quality.json.
    """

    views: Sequence[BoardView]
    lens: Lens
    model: ObjectModel
    board_from_obj: np.ndarray
    masks: Sequence[np.ndarray]
    whole: Callable[[int], np.ndarray]
    tested: np.ndarray
    picture: Callable[[int], np.ndarray] | None
    settings: Mapping[str, Any]
    quality: Mapping[str, Any]


def check_out(out: Path, model: ObjectModel) -> None:
    """Refuse, before a film is looked at, a place that it cannot be written to.

    Raises:
        InputError: there is something else, or the frames of another object.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    record = out / RECORD
    if not record.is_file():
        raise InputError(f"{out}: is there and no dataset of `capture`; give another --out")
    known = _RECORD(read_json(record), str(record))["object"]
    if known.get("id") != model.obj_id or known.get("info") != _info(model):
        raise InputError(
            f"{out}: holds frames of another object, {plain.shown(known.get('source'))}; give"
            " another --out"
        )


def check_film(out: Path, digest: str | None) -> None:
    """Refuse a film that is in a dataset: its frames might be trained on and tested on.

    Args:
        digest: see `frames.digest_of`; None is not known, and taken.

    Raises:
        InputError: it is there.
    """
    record = out / RECORD
    if digest is None or not record.is_file():
        return
    for film in _RECORD(read_json(record), str(record))["films"]:
        if film.get("digest") == digest:
            raise InputError(
                f"{out}: has the frames of this film already, as scene {film['scene']}; give"
                " another film, or another --out"
            )


def write_capture(out: Path, captured: Captured) -> list[dict[str, Any]]:
    """Write a film's frames: a new dataset, or more scenes of one that is there.

    Returns:
        The records in quality.json of all films, this one last.

    Raises:
        InputError: as `check_out`; or the place cannot be written to.
    """
    check_out(out, captured.model)
    check_film(out, captured.settings.get("digest"))
    if not (out / RECORD).is_file():
        with whole_folder(out) as folder:
            write_models(folder / "models", [captured.model])
            write_camera_json(folder, captured.views[0].camera)
            _write_scenes(folder / SPLIT, 1, captured)
            return _write_records(folder, 1, captured, [], [])
    with held(out):
        films = read_json(out / RECORD)["films"]
        qualities = read_json(out / QUALITY)["films"]
        scene = 1 + max(
            [f["scene"] + 1 for f in films] + [int(p.name) for p in (out / SPLIT).glob("[0-9]*")]
        )
        scene += 1 - scene % 2
        with work_area(out) as area:
            _write_scenes(area / SPLIT, scene, captured)
            for folder in sorted((area / SPLIT).iterdir()):
                folder.rename(out / SPLIT / folder.name)
            return _write_records(out, scene, captured, films, qualities)


def _write_scenes(split: Path, scene: int, captured: Captured) -> None:
    tested = captured.tested
    _write_scene(split / f"{scene:06d}", captured, range(len(captured.views)), None)
    if captured.picture is not None and not tested.all():
        trained = np.flatnonzero(~tested).tolist()
        _write_scene(split / f"{scene + 1:06d}", captured, trained, captured.picture)


def _write_scene(
    folder: Path,
    captured: Captured,
    numbers: Sequence[int],
    picture: Callable[[int], np.ndarray] | None,
) -> None:
    """One scene with some of the frames, each under its number."""

    def images() -> Iterator[tuple[int, Frame, np.ndarray]]:
        for i in numbers:
            view = captured.views[i]
            canvas = captured.whole(i)
            rgb = view.rgb if picture is None else picture(i)
            annotation = Annotation(
                captured.model.obj_id, view.cam_from_board @ captured.board_from_obj
            )
            instance = captured.masks[i].astype(np.uint8)
            yield i, measure(Frame(view.camera, (annotation,), rgb, None, instance), canvas), canvas

    worlds = {i: _world(captured.views[i].cam_from_board) for i in numbers}
    models = {captured.model.obj_id: captured.model}
    write_scene(folder, images(), depth_scale=None, camera_records=worlds, models=models)
    write_lens(folder / "lens.json", captured.lens, captured.views[0].camera)


def _world(cam_from_board: np.ndarray) -> dict[str, list[float]]:
    """As BOP says where a camera is in the world, here the board."""
    R, t_mm = pose_to_mm(cam_from_board)
    return {"cam_R_w2c": R.ravel().tolist(), "cam_t_w2c": t_mm.tolist()}


def _write_records(
    root: Path,
    scene: int,
    captured: Captured,
    films: Sequence[Any],
    qualities: Sequence[Any],
) -> list[dict[str, Any]]:
    """The files that speak of all films; capture.json, which names them, comes last."""
    board_out = captured.picture is not None and not captured.tested.all()
    film = {
        "scene": scene,
        "without_board": scene + 1 if board_out else None,
        "frames": [view.name for view in captured.views],
        "tested": np.flatnonzero(captured.tested).tolist(),
        "board_from_obj": captured.board_from_obj.tolist(),
        **captured.settings,
    }
    all_films = [*films, film]
    all_qualities = [*qualities, {"scene": scene, **captured.quality}]
    split: dict[str, list[list[int]]] = {"train": [], "test": []}
    for one in all_films:
        tested = set(one["tested"])
        trained = [i for i in range(len(one["frames"])) if i not in tested]
        split["train"] += [[one["without_board"] or one["scene"], i] for i in trained]
        split["test"] += [[one["scene"], i] for i in sorted(tested)]
    write_text(root / SPLIT_FILE, json.dumps(split) + "\n")
    quality = {"films": all_qualities, **over_films(all_qualities)}
    write_text(root / QUALITY, json.dumps(quality, indent=1) + "\n")
    model = captured.model
    known = {"id": model.obj_id, "source": Path(model.source).name, "info": _info(model)}
    record = {"object": known, "films": all_films}
    write_text(root / RECORD, json.dumps(record, indent=1) + "\n")
    return all_qualities


def _info(model: ObjectModel) -> Any:
    """A record of models_info.json as JSON gives it back."""
    return json.loads(json.dumps(model.info))
