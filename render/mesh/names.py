"""What people call objects, beside the numbers that BOP knows them by: models/names.json."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from render import plain
from render.config import unknown
from render.errors import InputError
from render.json_file import read_json
from render.mesh.sources import mesh_files, number_files

NAMES = "names.json"
LONGEST = 100  # characters
TAKEN = ("mean", "targets")  # rows of tables
OF_FOLDER = ("textured", "nontextured", "model", "mesh", "scene")  # stems that name no object
IN_BETWEEN = ("google_16k", "tsdf", "meshes", "visual")  # folders between such and the object's

_NAME = plain.record({"name": plain.text}, {"file": plain.text}, others=True)


def name_in_file(file: Path, obj_id: int) -> str:
    """The name of a mesh file's object: what names.json beside it says, else the file's own, or its
    folder's where that is what tells objects apart; empty for BOP's obj_NNNNNN.

    Raises:
        InputError: names.json is damaged.
    """
    if (file.parent / NAMES).is_file():
        return read_names(file.parent).get(obj_id, "")
    name, folder = file.stem, file.resolve().parent
    if name.lower() in OF_FOLDER:
        while folder.name in IN_BETWEEN:
            folder = folder.parent
        name = folder.name
    known = name.removeprefix("obj_").isdecimal() or _fault(name) is not None
    return "" if known else name


def names_in(folder: Path) -> dict[int, str]:
    """Object id -> name of all meshes in a folder; empty where one has a number alone.

    Raises:
        InputError: there are no meshes, or names.json is damaged.
    """
    files = number_files(mesh_files(folder))
    return told_apart({obj_id: name_in_file(file, obj_id) for obj_id, file in files.items()})


def read_names(folder: Path) -> dict[int, str]:
    """Object id -> name, as a models folder has them; {} where it has none.

    Raises:
        InputError: its names.json is damaged, or two objects have one name.
    """
    file = folder / NAMES
    if not file.is_file():
        return {}
    names = {}
    for key, value in read_json(file).items():
        where = f"{file}: object {plain.clipped(key)}"
        if not key.isdecimal() or len(key) > 15:
            raise InputError(f"{where}: keys must be object ids")
        names[int(key)] = value if isinstance(value, str) else _NAME(value, where)["name"]
    check_names(names, str(file))
    return names


def write_names(folder: Path, names: Mapping[int, str], files: Mapping[int, str]) -> None:
    """Write the names that there are, each with the file that its mesh came from."""
    records = {i: record for i, record in table_of(names, files).items() if "name" in record}
    if records:
        lines = [f'  "{i}": {json.dumps(record)}' for i, record in records.items()]
        (folder / NAMES).write_text("{\n" + ",\n".join(lines) + "\n}\n")


def table_of(names: Mapping[int, str], files: Mapping[int, str]) -> dict[str, dict[str, str]]:
    """Every object's id, as JSON has it -> its name, if it has one, and the file that its mesh came
    from, without the folder."""
    return {
        str(i): ({"name": name} if name else {}) | {"file": Path(files[i]).name}
        for i, name in names.items()
    }


def check_names(names: Mapping[int, str], where: str) -> None:
    """Raise InputError for a name that does not tell one object from all others."""
    for obj_id, name in names.items():
        fault = _fault(name)
        if fault is not None:
            raise InputError(f"{where}: object {obj_id}: a name {fault}, got {plain.shown(name)}")
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    if twice:
        raise InputError(f"{where}: two objects are called {twice[0]}; give each its own name")


def told_apart(names: Mapping[int, str]) -> dict[int, str]:
    """The names, with the id behind those that several objects have."""
    counts = Counter(names.values())
    return {i: f"{n}-{i}" if n and counts[n] > 1 else n for i, n in names.items()}


def title_of(obj_id: int, name: str = "") -> str:
    """What lines and tables call an object: its name, where it has one."""
    return name or f"object {obj_id}"


def title_in(root: Path, obj_id: int) -> str:
    """`title_of` an object of a dataset, by its models/names.json."""
    return title_of(obj_id, read_names(root / "models").get(obj_id, ""))


def ids_in(folder: Path, wanted: Iterable[int | str], option: str) -> tuple[int, ...]:
    """`ids_of` the objects of a models folder, which is looked at only for names.

    Raises:
        InputError: as of `ids_of` and `names_in`.
    """
    wanted = list(wanted)
    names = names_in(folder) if any(isinstance(one, str) for one in wanted) else {}
    return ids_of(wanted, names, option)


def ids_of(wanted: Iterable[int | str], names: Mapping[int, str], option: str) -> tuple[int, ...]:
    """Ids of objects that are named by id or name.

    Args:
        names: of all objects there are, empty where one has none.
        option: that names them, for messages.

    Raises:
        InputError: there is no such name.
    """
    by_name = {name: i for i, name in names.items() if name}
    wanted = list(wanted)
    for one in wanted:
        if isinstance(one, str) and one not in by_name:
            known: Sequence[str] = [*by_name] or [str(i) for i in names]
            raise InputError(f"{option}: {unknown('object', one, known)}")
    return tuple(by_name[one] if isinstance(one, str) else one for one in wanted)


def _fault(name: str) -> str | None:
    """What a name must not be."""
    if not name.strip() or len(name) > LONGEST or not name.isprintable():
        return f"has 1 to {LONGEST} printable characters"
    if name.isdecimal():
        return "is no number, which ids are"
    if name in TAKEN:
        return f"is none of {', '.join(TAKEN)}, which rows of tables are called"
    return "has no comma" if "," in name else None
