"""Damage to a file's content: what disks, programs and people do to files, and what they do not.

Bits and bytes of any file; numbers and words of text; values, types, keys and nesting of JSON;
parts of containers, in which the damage is then one of these again.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.fuzz_containers import Part, container_of

IN_PARTS, IN_JSON, IN_TEXT = 0.75, 0.7, 0.8  # how often files of a kind are damaged as such
DEEP, LONG, MANY_LINES = 100_000, 5_000, 200_000
WORD = re.compile(rb"[^\s,;:=\[\]{}()\"']+")
DIGITS = re.compile(rb"\d+")
ODD_NUMBERS = [b"0", b"-1", b"1", b"255", b"65536", b"2147483648", b"4294967295", b"1e7", b"1e30"]
ODD_NUMBERS += [b"9" * 19, b"nan", b"inf", b"-inf", b"1e400", b"0.5", b"", b"9" * 400, b"1_000"]
ODD_WORDS = [b"", b"\0", b"\xff\xfe", b"\x1b[2J", b"\xe2\x80\xa8", b"a" * LONG, b"/dev/zero", b".."]
ODD_WORDS += [b"../../etc/passwd", b"[" * DEEP, b"-", b"#", b"\xef\xbb\xbf", b"*", b"%s", b"a b"]
# As JSON's text, for what Python would not write.
ODD_JSON = ["null", "true", '""', '"x"', "0", "-1", "1.5", "1e308", "-1e308", "NaN", "Infinity"]
ODD_JSON += ["2147483648", "4294967295", "9" * 19, "1" + "0" * 400, "1" + "0" * LONG, "[]", "{}"]
ODD_JSON += ["[[]]", "[null]", '["x"]', "[1, 2, 3]", '{"x": 1}', f'"{"k" * LONG}"', '"\\u0000"']
ODD_JSON += ['"\\u001b[2J"', '"a\\nb"', '"\\ud800"', '"/dev/zero"', '"../../../etc/passwd"']
ODD_JSON += ["[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP, "1e-320", "10000000"]
MARK = "\0odd"  # stands for one of them until the rest is written
WORDS_OF_BYTES = [0, 1, 0xFF, 0x7F, 0x80, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000000]

Damage = Callable[[bytes, np.random.Generator], bytes]


def damage(content: bytes, rng: np.random.Generator) -> bytes:
    """One to three faults in a file's content; hardly ever the content as it was."""
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        content = _damage_once(content, rng)
    return content


def _damage_once(content: bytes, rng: np.random.Generator) -> bytes:
    container = container_of(content)
    if container is not None and rng.random() < IN_PARTS:
        try:
            return container.join(_damage_parts(container.split(content), rng))
        except Exception:  # it is damaged already
            pass
    if rng.random() < IN_JSON:
        try:
            return _damage_json(json.loads(content), rng)
        except (ValueError, RecursionError):
            pass
    binary = b"\0" in content
    kinds = TO_TEXT if not binary and rng.random() < IN_TEXT else TO_BYTES
    return kinds[rng.integers(len(kinds))](content, rng)


def _damage_parts(parts: list[Part], rng: np.random.Generator) -> list[Part]:
    """One part less, twice, elsewhere, under another's name, or damaged in itself."""
    i, j = rng.integers(len(parts), size=2)
    (name, body), others = parts[i], parts[:i] + parts[i + 1 :]
    kind = rng.integers(12)
    if kind == 0:
        return others
    if kind == 1:
        return [*parts[:j], parts[i], *parts[j:]]
    if kind == 2:
        return [*others[:j], parts[i], *others[j:]]
    if kind == 3:
        return [*parts[:i], (parts[j][0], body), *parts[i + 1 :]]
    return [*parts[:i], (name, _damage_once(body, rng)), *parts[i + 1 :]]


def _damage_json(value: Any, rng: np.random.Generator) -> bytes:
    """Another value, key or order somewhere in it."""
    places = list(_places(value))
    if not places:
        return _odd(ODD_JSON, rng).encode()
    inside, key = places[rng.integers(len(places))]
    kind = rng.integers(8)
    if kind == 0:
        del inside[key]
    elif kind == 1 and isinstance(inside, list):
        inside.insert(key, inside[rng.integers(len(inside))])
    elif kind == 1:
        inside[_odd(["", "x", "-1", "k" * LONG, "1.5", "9" * LONG, "\0", "²"], rng)] = inside[key]
    elif kind == 2:
        other, other_key = places[rng.integers(len(places))]
        inside[key] = json.loads(json.dumps(other[other_key]))
    elif kind == 3 and isinstance(inside[key], int | float):
        inside[key] = inside[key] * _odd([-1, 0, 0.5, 1e-9, 1000, 1e9, 1e30], rng)
    elif kind == 4 and isinstance(inside, list):
        inside[key:] = []
    else:
        inside[key] = MARK
    return json.dumps(value).replace(json.dumps(MARK), _odd(ODD_JSON, rng)).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """(dict or list, key or index) of every value within."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _odd(values: Sequence, rng: np.random.Generator) -> Any:
    return values[int(rng.integers(len(values)))]


def _span(content: bytes, rng: np.random.Generator) -> tuple[int, int]:
    """Where a piece begins and ends, more often in the head of the file, and of any length."""
    at = int(len(content) ** rng.random()) - 1 if rng.random() < 0.5 else rng.integers(len(content))
    return int(at), int(at + max(1, (len(content) - at) ** rng.random()))


def _flip_bits(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.integers(1, 9)):
        if changed:
            changed[_span(content, rng)[0]] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _cut_end(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: _span(content, rng)[0]] if content else b""


def _cut_piece(content: bytes, rng: np.random.Generator) -> bytes:
    start, end = _span(content, rng) if content else (0, 0)
    return content[:start] + content[end:]


def _double_piece(content: bytes, rng: np.random.Generator) -> bytes:
    start, end = _span(content, rng) if content else (0, 0)
    return content[:end] + content[start:end] + content[end:]


def _move_piece(content: bytes, rng: np.random.Generator) -> bytes:
    start, end = _span(content, rng) if content else (0, 0)
    rest = content[:start] + content[end:]
    at = int(rng.integers(len(rest) + 1))
    return rest[:at] + content[start:end] + rest[at:]


def _noise(content: bytes, rng: np.random.Generator) -> bytes:
    start, end = _span(content, rng) if content else (0, 0)
    return content[:start] + rng.bytes(end - start) + content[end:]


def _enlarge_length(content: bytes, rng: np.random.Generator) -> bytes:
    """A number of 1, 2, 4 or 8 bytes, where one may stand, is as large as it can be, or nearly."""
    width = int(_odd([1, 2, 4, 4, 4, 8], rng))
    start = _span(content, rng)[0] if content else 0
    value = _odd(WORDS_OF_BYTES, rng) % (1 << 8 * width)
    number = value.to_bytes(width, _odd(["little", "big"], rng))
    return content[:start] + number + content[start + width :]


def _change_digits(content: bytes, rng: np.random.Generator) -> bytes:
    """A number in the text at a file's head."""
    found = list(DIGITS.finditer(content[:4000]))
    if not found:
        return _flip_bits(content, rng)
    start, end = found[rng.integers(len(found))].span()
    return content[:start] + _odd(ODD_NUMBERS, rng) + content[end:]


def _change_word(content: bytes, rng: np.random.Generator) -> bytes:
    found = list(WORD.finditer(content))
    if not found:
        return _odd(ODD_WORDS, rng)
    start, end = found[rng.integers(len(found))].span()
    other = found[rng.integers(len(found))].group()
    word = _odd([_odd(ODD_NUMBERS, rng), _odd(ODD_NUMBERS, rng), _odd(ODD_WORDS, rng), other], rng)
    return content[:start] + word + content[end:]


def _change_lines(content: bytes, rng: np.random.Generator) -> bytes:
    lines = content.splitlines(keepends=True) or [b"\n"]
    i, j = rng.integers(len(lines), size=2)
    kind = rng.integers(7)
    if kind == 0:
        del lines[i]
    elif kind == 1:
        lines.insert(j, lines[i])
    elif kind == 2:
        lines[i], lines[j] = lines[j], lines[i]
    elif kind == 3:
        lines[i] = lines[i].rstrip() + b" " + lines[j]
    elif kind == 4:
        lines.insert(i, _odd([b"\n", b" \n", b"#\n", b"\r"], rng) * MANY_LINES)
    elif kind == 5:
        lines[i] = lines[i].rstrip() + b" 1" * LONG + b"\n"
    else:
        return _odd([b"\r\n", b"\r"], rng).join(content.split(b"\n"))
    return b"".join(lines)


TO_BYTES: tuple[Damage, ...] = (
    *(_flip_bits, _flip_bits, _cut_end, _cut_piece, _double_piece, _move_piece, _noise),
    *(_enlarge_length, _enlarge_length, _enlarge_length, _change_digits),
)
TO_TEXT: tuple[Damage, ...] = (
    *(_change_word, _change_word, _change_word, _change_word, _change_word),
    *(_change_lines, _change_lines, _change_digits),
)
