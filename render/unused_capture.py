"""Settings that `capture` would pass over; see render/unused.py."""

from render.unused import Unused, all_but

CAPTURE = (
    all_but("capture", "capture"),
    Unused(
        "capture.rest",
        "belongs to --place rest; leave one of them",
        lambda c, _: c["capture"].place != "rest",
    ),
    Unused(
        "capture.points",
        "belongs to --place points; give that, too",
        lambda c, _: c["capture"].place != "points",
    ),
    Unused(
        "capture.most_focal_std",
        "has no effect with --camera, which is not doubted; leave one of them",
        lambda _, a: a["camera"] is not None,
    ),
)
