"""Settings that the commands which judge networks would pass over; see `render.unused`."""

from render.unused import Unused, When, all_but, lacks
from train.objects.data import find_dataset, with_ids
from train.unused import FRAMES, SEEN_ONLY, Arguments, Config


def _reads(name: str) -> When:
    """Whether the network that is judged reads "object" or "hand"."""

    def when(_: Config, arguments: Arguments) -> bool:
        from train.tasks import kind_of  # torch, which other commands start without

        return kind_of(arguments["run_folder"]) == name

    return when


def _other_object(config: Config, arguments: Arguments) -> bool:
    from train.objects.detect.beside import object_of

    target = object_of(arguments["run_folder"])
    data = config["data"]
    if any(isinstance(one, str) for one in data.objects):
        data = with_ids(data, find_dataset(data.dataset))
    return data.obj_ids != (target.obj_id,)


EVALUATE = (
    all_but("data exemplar hand run.refine", "evaluate"),
    Unused(
        "data.* run.refine",
        "belongs to networks for objects, and this one is for hands",
        _reads("hand"),
    ),
    Unused(
        "hand.*", "belongs to networks for hands, and this one is for an object", _reads("object")
    ),
    Unused(
        "hand.*",
        "belongs to training",
        but="hand.dataset hand.test_frames hand.small_from",
    ),
    Unused("data.objects", "is another object than the one this network is for", _other_object),
    Unused(
        "exemplar.synthetic exemplar.approximate",
        "belongs to exemplar.exemplars; set that, too",
        lacks("exemplar.exemplars"),
    ),
    SEEN_ONLY,
    *FRAMES,
)

SCORE = (
    all_but("data", "score"),
    Unused("data.dataset", "has no effect: --ground-truth names the dataset"),
    Unused("data.boxes", "has no effect: poses are scored, whatever boxes they were read in"),
    Unused(
        "data.train_fraction",
        "has no effect: all is scored, or what data.split_file tests on",
    ),
    Unused(
        "data.folds data.fold",
        "belongs to data.split_file; set that, too",
        lacks("data.split_file"),
    ),
    SEEN_ONLY,
    *FRAMES,
)
