"""What can be set of training. No torch: commands that do without it start at once."""

from dataclasses import dataclass
from typing import Literal

from render.config import option

# Share of a batch that is real, twin and synthetic. Beside these WITH_ADVERSARY have unlabelled
# images, as many as synthetic ones.
COMPOSITION = {
    "synthetic": (0, 0, 1),
    "real": (1, 0, 0),
    "finetune": (1, 0, 0),
    "mixed": (1 / 2, 0, 1 / 2),
    "mixed_layers": (1 / 2, 0, 1 / 2),
    "mixed_twins": (3 / 8, 3 / 8, 1 / 4),
    "mapping": (3 / 8, 3 / 8, 1 / 4),
    "finetune_unlabelled": (1, 0, 0),
    "mixed_unlabelled": (1 / 2, 0, 1 / 2),
    "mapping_unlabelled": (3 / 8, 3 / 8, 1 / 4),
    "mapping_adversary": (3 / 8, 3 / 8, 1 / 4),
    "mapping_unlabelled_adversary": (3 / 8, 3 / 8, 1 / 4),
}
METHODS = tuple(COMPOSITION)
WITH_PSEUDO_LABELS = tuple(method for method in METHODS if "_unlabelled" in method)
WITH_ADVERSARY = tuple(method for method in METHODS if method.endswith("_adversary"))
WITH_UNLABELLED = tuple(m for m in METHODS if m in WITH_PSEUDO_LABELS or m in WITH_ADVERSARY)
TEACHER, PUPIL = "mixed", "mixed_unlabelled"  # what reads unlabelled frames: at first, and then
REFINED = "-refined"  # after a method's name, where its poses were refined
DETECTOR = "detector"  # what `train --method` takes beside these; it lies under this name
MAPPING = tuple(m for m in METHODS if m.split("_")[0] == "mapping")  # have the mapping loss
# Which method others are compared with: the first of these that there is.
OURS = ("mapping_unlabelled", "mapping")
WITH_MAPPING = (*MAPPING, "mixed_layers")  # methods whose network has g
NETWORKS = ("small", "small-group", "small-votes", "lite", "lite-fc", "paper")
WITH_TRUNK = ("lite", "lite-fc")  # networks that know ImageNet
WITH_VOTES = ("small-votes", "lite")  # whose features are a map, and whose cells vote
MOST_SURFACE_POINTS = 64  # that are read beside an object's corners


@dataclass(frozen=True)
class RunConfig:
    """What `run` compares."""

    target: Literal["object", "hand"] = option(
        "object", "What is read: objects in BOP's colour images, or a hand in NYU's depth images"
    )
    methods: tuple[str, ...] = option(
        ("synthetic", "real", "finetune", "mixed", "mapping"),
        f"What is compared, among {', '.join(METHODS)}",
    )
    simulated: str = option(
        "", "Name of a preset whose ranges render the real frames too; empty: real ones are read"
    )
    held_out: str = option(
        "",
        "Objects, without any real frame: name of a preset whose ranges render the synthetic frames"
        " to test on; run.methods is then synthetic alone. Empty: there are real frames",
        later=True,
    )
    simulated_frames: int = option(
        150,
        "run.simulated, run.held_out: how many frames are rendered to play the real ones, or to"
        " test on",
        minimum=2,
    )
    real_background: bool = option(
        False,
        "Real training frames behind the synthetic images, in place of scene.background; the"
        " object is painted out of them",
    )
    real_views: bool = option(
        False,
        "Synthetic images show sides of the object within scene.views_deg of those that the real"
        " training frames show; else all sides of scene.elevation_deg and scene.inplane_deg",
        later=True,
    )
    live: bool = option(
        False, "Render synthetic images while training, none twice, instead of render.frames"
    )
    live_workers: int = option(
        1, "Processes that do so for one network; 0: the training itself", minimum=0
    )
    refine: int = option(
        0,
        "Objects: how often a pose that was read is drawn, and moved to where by the colours of the"
        " real training frames its contour is. run and evaluate show both, study the refined ones."
        " 0: never; 6: more changes little",
        minimum=0,
        maximum=20,
        later=True,
    )

    rounds: int = option(
        2,
        "Methods with pseudo labels: how often unlabelled frames are read, each time by a network"
        " that has learnt from what was read before",
        minimum=1,
        maximum=10,
        later=True,
    )
    detect: bool = option(
        False,
        "Objects: train a detector beside the networks, so that predict needs no box; run's tables"
        " then show every method in its boxes too",
        later=True,
    )

    @property
    def kind(self) -> str:
        """What the real frames of a run are called."""
        return "simulated real" if self.simulated else "real"

    @property
    def rendered(self) -> str:
        """The preset that renders the frames to test on; empty where they are read."""
        return self.simulated or self.held_out

    @property
    def has_unlabelled(self) -> bool:
        """Whether a method looks at real frames without labels."""
        return bool(set(self.methods) & set(WITH_UNLABELLED))

    @property
    def parts(self) -> tuple[str, ...]:
        """Which parts of the frames there are."""
        return ("test",) if self.held_out else ("train", "test")


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained. The mapping's recipe is open in the paper; see docs/training.md."""

    network: Literal["small", "small-group", "small-votes", "lite", "lite-fc", "paper"] = option(
        "small",
        "small trains on two CPU cores; small-group: group norm in place of batch norm;"
        " small-votes: cells of its features vote in place of FC; lite, of colour images:"
        " EfficientNet-Lite0 as ImageNet taught it, whose cells vote; lite-fc: with the paper's FC"
        " in place of votes",
    )
    pretrain_steps: int = option(
        4000, "Steps on synthetic images alone, shared by all methods; 0: none", minimum=0
    )
    steps: int = option(1500, "Joint steps of every method", minimum=1)
    batch: int = option(
        32, "Images in a batch, real ones, twins and synthetic ones together", minimum=8
    )
    lr: float = option(
        5e-4, "Adam's learning rate at the start; it falls to zero along a cosine", minimum=0
    )
    gamma: float = option(
        1.0, "Weight of the pose loss on real images; 0: their labels are not used", minimum=0
    )
    beta: float = option(
        0.002,
        "Weight of the mapping loss; 0: none, 1: features are pulled as hard as poses",
        minimum=0,
    )
    adversary: float = option(
        0.1,
        "Methods ..._adversary: how hard the features of unlabelled images, mapped, are pushed to"
        " where a discriminator does not tell them from those of synthetic ones, at the end of a"
        " ramp; 0: not at all, 1: as hard as one unit of the pose loss",
        minimum=0,
        later=True,
    )
    twin_pose: bool = option(True, "Pose loss on the twins too, as on synthetic images")
    detach_twin: bool = option(True, "No gradient of the mapping loss into the twin's feature")
    huber_delta: float = option(
        0.01,
        "Pose loss: quadratic below this error, linear above; in half crop sides",
        minimum=1e-6,
    )
    surface_points: int = option(
        0,
        "Objects: points of the surface, far from one another, that are read beside the 8 corners"
        " of the box; 0: none, as in the paper",
        minimum=0,
        maximum=MOST_SURFACE_POINTS,
        later=True,
    )
    precision: Literal["float32", "bfloat16", "auto"] = option(
        "float32",
        "What the network computes in; bfloat16 is faster where the processor, or GPU, has it, and"
        " far slower where not; auto: bfloat16 where it has, else float32",
    )
    init: str = option(
        "",
        "paper: a torchvision-format vgg16 file to start the convolutions from; lite: random starts"
        " from random weights instead of ImageNet's",
    )
    frozen_blocks: int = option(
        3,
        "lite: how many of its 11 blocks, and the stem with them, keep ImageNet's weights; 0: all"
        " is trained, 11: no convolution is",
        minimum=0,
        maximum=11,
        later=True,
    )
    trunk_lr: float = option(
        0.3,
        "lite: learning rate of the blocks that are not frozen, as a share of train.lr",
        minimum=0,
        later=True,
    )
    validation: float = option(
        0.0,
        "Share of the real training frames held out to choose the best checkpoint by; 0: the last",
        minimum=0,
        maximum=0.9,
    )
    log_every: int = option(50, "Steps between TensorBoard entries", minimum=1)
    save_every: int = option(250, "Steps between checkpoints", minimum=1)


@dataclass(frozen=True)
class CropConfig:
    """How an object's box becomes a network's square input."""

    size: int = option(64, "Side of the crop, pixels: the network's input", minimum=16)
    margin: float = option(1.3, "Side of the crop over the box's longer side", minimum=1)
    angle_deg: float = option(
        20.0, "Training jitter: rotation in the image, degrees, up to; 0: none", minimum=0
    )
    shift: float = option(
        0.10, "Training jitter: shift, as a share of the box's longer side, up to", minimum=0
    )
    scale: float = option(
        0.15, "Training jitter: relative change of size, up to; 0: none", minimum=0, maximum=0.9
    )
    augment: Literal["mild", "strong"] = option(
        "strong",
        "Training: random changes of colours. mild: exposure, contrast, channel gains, noise;"
        " strong: more of them, and blur, sharpness, saturation, grey",
    )
    test_shift: float = option(
        0.05,
        "Shift of the test boxes, as a share of the longer side: a detector's error; 0: exact",
        minimum=0,
    )
    test_scale: float = option(
        0.05, "Relative change of the test boxes' size, up to; 0: exact", minimum=0, maximum=0.9
    )


@dataclass(frozen=True)
class DetectorConfig:
    """How the network that finds an object in whole images is trained."""

    size: int = option(
        320,
        "Longer side of its input, pixels, to which images are resized. More finds smaller objects,"
        " and takes longer by its square",
        minimum=64,
        maximum=1280,
    )
    steps: int = option(500, "Steps that it is trained for", minimum=1)
    batch: int = option(8, "Images in a batch", minimum=1)


@dataclass(frozen=True)
class ExemplarConfig:
    """A library of synthetic features to look poses up in, beside h."""

    exemplars: int = option(
        0, "Size of a library of synthetic features to look poses up in, beside h", minimum=0
    )
    synthetic: str = option("", "The library's images, a dataset that `render` made")
    approximate: bool = option(False, "Look up by faiss's HNSW graph instead of exactly")
