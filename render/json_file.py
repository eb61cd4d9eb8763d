"""JSON and text files: read checked, written whole or not at all."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from render.errors import InputError
from render.input_file import read_bytes
from render.plain import shown
from render.whole_file import write_whole

DEEPEST = 64  # lists and objects within each other; no format that is read here has more than ten
STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def read_json(path: Path, kind: type = dict) -> Any:
    """Read a JSON file that holds a dict, or a list.

    NaN and Infinity, which JSON has not, but Python writes, are for the checks of what is read.

    Raises:
        InputError: it is missing, no regular file or no JSON, holds something else, the same name
            twice, or is nested too deeply.
    """
    return parse_json(read_bytes(path), str(path), kind)


def parse_json(content: bytes, name: str, kind: type = dict) -> Any:
    """`read_json` of content that is read; `name` is for messages."""
    try:
        # Windows' programs write UTF-16, or UTF-8 with a mark.
        text = content.decode(json.detect_encoding(content))
        if is_deep(text):
            raise ValueError(f"more than {DEEPEST} lists or objects within each other")
        value = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: not valid JSON ({error})") from None
    if not isinstance(value, kind):
        expected = "a JSON object" if kind is dict else "a JSON list"
        raise InputError(f"{name}: expected {expected}, got {type(value).__name__}")
    return value


def is_deep(text: str) -> bool:
    """Whether brackets and braces lie deeper than DEEPEST in each other, outside of strings."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return False
    outside = STRING.sub(b"", text.encode(errors="replace"))
    brackets = np.frombuffer(outside.translate(None, NOT_BRACKETS), np.uint8)
    steps = np.where((brackets == ord("[")) | (brackets == ord("{")), np.int8(1), np.int8(-1))
    return bool(np.cumsum(steps, dtype=np.int32).max(initial=0) > DEEPEST)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    write_whole(path, text.encode())


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{shown(twice)} is there twice")
    return found
