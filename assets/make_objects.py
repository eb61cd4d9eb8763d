"""Write the bundled objects as BOP models: `python assets/make_objects.py`.

The same files, byte for byte, each time; obj_NNNNNN.ply, its texture, and models_info.json.
"""

import sys
from pathlib import Path
from types import ModuleType

ASSETS = Path(__file__).resolve().parent
if not __package__:  # run as a script: Python then knows this folder, not the project's
    sys.path.insert(0, str(ASSETS.parent))

from assets import casserole, tugboat, vase
from render.mesh.mesh import models_info_record, object_model, write_models

HALF_TURN = [-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]  # about z
OBJECTS: tuple[tuple[ModuleType, dict], ...] = (
    (tugboat, {}),
    (casserole, {"symmetries_discrete": [HALF_TURN]}),
    (vase, {"symmetries_continuous": [{"axis": [0, 0, 1], "offset": [0, 0, 0]}]}),
)


def make_objects(folder: Path) -> None:
    """Write the objects, numbered from 1, into a folder."""
    models = []
    for obj_id, (module, symmetries) in enumerate(OBJECTS, start=1):
        mesh = module.build()
        info = models_info_record(mesh) | symmetries
        models.append(object_model(obj_id, mesh, info, source=str(module.__file__)))
    write_models(folder, models)


if __name__ == "__main__":
    make_objects(ASSETS)
