"""Settings that these commands would pass over; see `render.unused`."""

from collections.abc import Mapping
from typing import Any

from render.unused import Unused, When, all_but
from render.unused import both as _both
from render.unused import has as _has
from render.unused import lacks as _lacks
from render.unused_render import COLOR, LENS, LIGHT, OF_KINDS, of_hands
from train.objects.detect.unused import IN_RUN, IN_STUDY, IN_TRAIN
from train.options import (
    COMPOSITION,
    DETECTOR,
    MAPPING,
    PUPIL,
    WITH_ADVERSARY,
    WITH_PSEUDO_LABELS,
    WITH_TRUNK,
    WITH_UNLABELLED,
)

Config = Mapping[str, Any]
Arguments = Mapping[str, Any]

REAL_FRAMES = "data.dataset data.split data.split_file data.train_fraction data.folds data.fold"


def _no_method(*names: str) -> When:
    """Whether none of these is trained: of run.methods, or --method."""

    def when(config: Config, arguments: Arguments) -> bool:
        methods = (arguments["method"],) if "method" in arguments else config["run"].methods
        return not set(names) & set(methods)

    return when


def _hand(config: Config, arguments: Arguments) -> bool:
    """Whether hands are read, and by options that are not refused for them in any case."""
    run = config["run"]
    return run.target == "hand" and not (run.live or run.real_background)


def _object(config: Config, arguments: Arguments) -> bool:
    return config["run"].target == "object"


_simulated, _live = _has("run.simulated"), _has("run.live")
_held_out = _has("run.held_out")
WITH_REAL = tuple(method for method, shares in COMPOSITION.items() if shares[0])
WITH_TWINS = tuple(method for method, shares in COMPOSITION.items() if shares[1])

STRAIGHT = Unused(
    LENS, "belongs to `render`: networks are trained on images without a lens distortion; leave it"
)
ONE_EYE = Unused(
    "scene.baseline", "belongs to `render`: networks are trained on images of one camera; leave it"
)
SEEN_ONLY = Unused(
    "data.unlabelled",
    f"belongs to run and study, with methods such as {PUPIL}; here it has no effect, leave it",
)
FRAMES = (
    Unused(
        "data.train_fraction",
        "has no effect with data.split_file, which says what is trained on; leave one of them",
        _has("data.split_file"),
    ),
    Unused("data.fold", "belongs to data.folds; set that, too", _lacks("data.folds")),
)
NETWORKS = (
    Unused(
        "train.network",
        "must not be lite, which reads colour images; small, small-votes and paper read hands",
        lambda c, _: c["run"].target == "hand" and c["train"].network in WITH_TRUNK,
    ),
    Unused(
        "train.frozen_blocks train.trunk_lr",
        "belongs to train.network=lite with ImageNet's weights",
        lambda c, _: c["train"].network not in WITH_TRUNK or c["train"].init == "random",
    ),
    Unused(
        "train.surface_points",
        "belongs to objects; hands are read by their joints",
        lambda c, _: c["run"].target == "hand",
    ),
)
METHODS = (
    Unused("train.beta train.detach_twin", "belongs to the method mapping", _no_method(*MAPPING)),
    Unused("train.twin_pose", "belongs to methods with twins", _no_method(*WITH_TWINS)),
    Unused(
        "train.adversary",
        f"belongs to methods with an adversary, such as {WITH_ADVERSARY[0]}",
        _no_method(*WITH_ADVERSARY),
    ),
    Unused(
        "run.rounds",
        f"belongs to methods that read unlabelled frames, such as {PUPIL}",
        _no_method(*WITH_PSEUDO_LABELS),
    ),
    Unused(
        "data.unlabelled hand.unlabelled hand.unlabelled_frames",
        f"belongs to methods with unlabelled frames, such as {PUPIL}",
        _no_method(*WITH_UNLABELLED),
    ),
    Unused(
        "train.gamma train.validation",
        "belongs to methods with real frames",
        _no_method(*WITH_REAL),
    ),
)
LIVE = (
    Unused("run.live_workers", "belongs to run.live; set that, too", _lacks("run.live")),
    Unused(
        "render.frames",
        "has no effect with run.live: images are rendered as long as training lasts",
        _live,
        is_refused=False,
    ),
    Unused(
        "render.split render.frames_per_scene render.format render.hand"
        " render.normals render.coordinates render.flow",
        "has no effect with run.live, which shows training colour images of objects; leave one",
        _live,
    ),
    Unused(
        "render.obj_ids",
        "has no effect: each of data.objects is annotated in turn; leave it",
        _object,
    ),
    Unused(
        "scene.background",
        "has no effect with run.real_background; leave one of them",
        _has("run.real_background"),
    ),
    Unused(
        "scene.views",
        "has no effect with run.real_views; leave one of them",
        _has("run.real_views"),
    ),
    Unused(
        "run.real_views",
        "belongs to scene.layout=crop",
        lambda c, _: c["scene"].layout != "crop",
    ),
)
_VAL = Unused("render.val", "belongs to `render`; here all synthetic images are trained on")
_rendered = "belongs to synthetic hands, which run.target=hand renders with render.hand only"
_RUN = (
    _VAL,
    Unused(
        "render.format",
        "must be bop for objects, whose scene folders are read",
        lambda c, a: _object(c, a) and c["render"].format != "bop",
    ),
    Unused("hand.* hand_crop.* localiser.* pair.hand", "belongs to run.target=hand", _object),
    Unused(
        "data.* crop.* scene.* pair.* detector.* run.live_workers run.detect run.held_out",
        "belongs to run.target=object",
        _hand,
        but="pair.hand",
    ),
    Unused(
        "run.simulated_frames",
        "belongs to run.simulated or run.held_out, of objects; of hands hand.train_frames and"
        " hand.test_frames are",
        lambda c, a: _hand(c, a) or not (_simulated(c, a) or _held_out(c, a)),
    ),
    Unused(
        f"{REAL_FRAMES} pair.*",
        "belongs to real frames, which run.held_out is without; give them by --real DATASET",
        _held_out,
    ),
    Unused(
        "render.objects",
        "has no effect with --object, which names the meshes; leave one of them",
        lambda _, a: bool(a.get("meshes")),
    ),
    Unused(
        "data.dataset",
        "has no effect with run.simulated, which renders the real frames; leave one of them",
        _simulated,
    ),
    Unused(
        "hand.dataset hand.twins",
        "has no effect with run.simulated, which renders them; leave one of them",
        _simulated,
    ),
    Unused(
        "pair.hand",
        "belongs to run.simulated; twins of other frames are made by `pair --real nyu`",
        _lacks("run.simulated"),
    ),
    Unused(
        "hand.synthetic",
        "has no effect with render.hand, which renders them; leave one of them",
        _has("render.hand"),
    ),
    Unused("render.*", _rendered, _both(_hand, _lacks("render.hand"))),
    Unused("hand_scene.* sensor.*", _rendered, _both(_hand, _lacks("render.hand"))),
    *FRAMES,
    *NETWORKS,
    *METHODS,
    *LIVE,
    *of_hands(_hand),
    STRAIGHT,
    ONE_EYE,
    *OF_KINDS,
)
OF_RUN = "run data render scene hand_scene sensor pair crop hand hand_crop localiser train"
RUN = (all_but(f"{OF_RUN} detector", "run"), *_RUN, *IN_RUN)
STUDY = (
    all_but(f"{OF_RUN} detector study", "study"),
    *IN_STUDY,
    Unused("run.held_out", "belongs to run; a study compares methods on real frames"),
    Unused("data.folds data.fold", "has no effect: study cuts folds by study.tune_folds; leave it"),
    Unused(
        "study.tune_objects study.tune_folds study.tune_judged",
        "belongs to study.tuning; set that, too",
        _lacks("study.tuning"),
    ),
    Unused("study.tune_objects study.visib", "belongs to run.target=object", _hand),
    *_RUN,
)

PAIR = (
    Unused(
        "*",
        "belongs to --real bop, not to --real nyu",
        lambda _, a: a["real"] == "nyu",
        but="hand.dataset pair.hand data.split",
    ),
    Unused(
        "pair.hand hand.*",
        "belongs to --real nyu, not to --real bop",
        lambda _, a: a["real"] == "bop",
    ),
    all_but("data pair scene sensor hand", "pair"),
    Unused(
        "data.boxes data.min_visib",
        "has no effect on twins, made of all instances; leave it",
    ),
    Unused("data.symmetry", "has no effect on twins, drawn at annotated poses; leave it"),
    SEEN_ONLY,
    Unused(
        "scene.*",
        "has no effect on twins but for the light; leave it",
        but=LIGHT,
    ),
    Unused(
        "sensor.*",
        "has no effect on twins, which have no depth, and the real frames' straight lens; leave it",
        but=f"sensor.color {COLOR}",
    ),
    *FRAMES,
    *OF_KINDS,
)

TRAIN = (
    all_but("run data render scene sensor crop train hand hand_crop detector", "train"),
    *IN_TRAIN,
    _VAL,
    Unused("run.methods", "has no effect here: --method says which", is_refused=False),
    Unused("run.refine", "belongs to tests; training refines no poses", is_refused=False),
    Unused(
        "run.simulated run.simulated_frames",
        "belongs to run and study; train reads --dataset",
        _simulated,
    ),
    Unused("run.held_out", "belongs to run; train tests nothing"),
    Unused(
        "train.pretrain_steps",
        "has no effect here: train by --method synthetic first, and give that as --start RUN",
        is_refused=False,
    ),
    Unused("data.boxes", "belongs to tests; training crops around bbox_visib"),
    Unused("hand.* hand_crop.*", "belongs to run.target=hand", _object),
    Unused("data.* crop.* run.live_workers", "belongs to run.target=object", _hand),
    Unused(
        "render.* scene.* sensor.* run.real_background run.real_views",
        "belongs to run.live, without which train renders nothing",
        _lacks("run.live"),
    ),
    Unused(
        REAL_FRAMES,
        "belongs to methods with real frames; this one reads --synthetic DIR alone",
        _both(_lacks("run.live"), _no_method(*WITH_REAL, DETECTOR)),
    ),
    *FRAMES,
    *NETWORKS,
    *METHODS,
    *LIVE,
    STRAIGHT,
    ONE_EYE,
    *OF_KINDS,
)
