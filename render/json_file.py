"""JSON and text files: read checked, written whole or not at all."""

import json
from pathlib import Path
from typing import Any

from render.errors import InputError
from render.whole_file import write_whole


def read_json(path: Path, kind: type = dict) -> Any:
    """Read a JSON file that holds a dict, or a list; InputError names a file that does not."""
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not valid JSON ({error})") from None
    if not isinstance(content, kind):
        expected = "a JSON object" if kind is dict else "a JSON list"
        raise InputError(f"{path}: expected {expected}, got {type(content).__name__}")
    return content


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    write_whole(path, text.encode())
