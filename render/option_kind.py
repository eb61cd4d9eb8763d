"""The types an option may have, and how their values are written in text.

A field is an int, float, bool, str or Literal, or a tuple of one of the first four (of fixed length
or `tuple[X, ...]`) or of `int | str`, an object's id or name, and may be `X | None`. In text a
tuple is `1,2,3` and None is `none`. A pair of ints named `size` or `..._size` is written `640x480`;
every other pair is a range, smaller first.
"""

import math
from dataclasses import Field, dataclass, replace
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin


class IdOrName:
    """Stands for `int | str`: what is all digits is an id, other texts are names."""


NOUNS = {int: "whole number", float: "number", str: "text", bool: "true or false"}
NOUNS |= {IdOrName: "id or name"}
MOST_SIDE = 1 << 14  # pixels of an image; hardly any device draws larger ones
MOST = 2**63  # what NumPy and OpenGL count in ends here
BOOLS = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True)
class OptionKind:
    """What values a field takes.

    item: the type of a value, or of each item of a tuple. count: length of the tuple, 0 for any
    length, None for no tuple.
    """

    field: Field
    item: type
    count: int | None = None
    choices: tuple = ()
    is_optional: bool = False

    @staticmethod
    def of(field: Field, annotation: Any) -> "OptionKind":
        """The kind of a dataclass field, made by `render.config.option`, from its type."""
        origin, args = get_origin(annotation), get_args(annotation)
        if origin in (Union, UnionType):
            (inner,) = (arg for arg in args if arg is not NoneType)
            return replace(OptionKind.of(field, inner), is_optional=True)
        if origin is Literal:
            return OptionKind(field, str, choices=args)
        if origin is tuple:
            item = IdOrName if get_origin(args[0]) in (Union, UnionType) else args[0]
            return OptionKind(field, item, count=0 if args[-1] is Ellipsis else len(args))
        return OptionKind(field, annotation)

    @property
    def is_size(self) -> bool:
        """Whether it is a width and a height."""
        name = self.field.name
        return self.count == 2 and self.item is int and (name == "size" or name.endswith("_size"))

    @property
    def _separator(self) -> str:
        return "x" if self.is_size else ","

    def convert(self, value: Any) -> Any:
        """A TOML value or text in the field's type; ValueError if it does not fit."""
        if self.is_optional and value in (None, "none"):
            return None
        if self.choices:
            return self.choices[[str(choice) for choice in self.choices].index(str(value))]
        if self.count is None:
            return self._convert_item(value)

        if isinstance(value, str):
            value = [item.strip() for item in value.split(self._separator)] if value else []
        if not isinstance(value, list | tuple) or (self.count and len(value) != self.count):
            raise ValueError
        items = tuple(map(self._convert_item, value))
        if self.is_size and not 1 <= min(items) <= max(items) <= MOST_SIDE:
            raise ValueError
        if self.count == 2 and not self.is_size and items[0] > items[1]:
            raise ValueError
        return items

    def _convert_item(self, value: Any) -> Any:
        if self.item is IdOrName:
            is_name = isinstance(value, str) and value.strip() and not value.strip().isdecimal()
            return value.strip() if is_name else replace(self, item=int)._convert_item(value)
        if isinstance(value, str):
            value = BOOLS.get(value.lower()) if self.item is bool else self.item(value)
        elif self.item is float and type(value) is int:
            value = float(value)
        if type(value) is not self.item or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError
        if isinstance(value, int) and abs(value) >= MOST:
            raise ValueError
        minimum, maximum = self.field.metadata["minimum"], self.field.metadata["maximum"]
        if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
            raise ValueError
        return value

    def text(self, value: Any) -> str:
        """A value as the user would write it."""
        if isinstance(value, tuple):
            return self._separator.join(map(str, value))
        return str(value).lower() if value is None or isinstance(value, bool) else str(value)

    @property
    def metavar(self) -> str:
        """What stands for the value in a command's help."""
        if self.choices:
            return f"[{'|'.join(map(str, self.choices))}]"
        if self.is_size:
            return "WxH"
        name = {int: "INTEGER", float: "NUMBER", str: "TEXT", IdOrName: "OBJECT"}[self.item]
        return name if self.count is None else ",".join([name] * self.count) or f"{name},..."

    @property
    def allowed(self) -> str:
        """What the field takes, in words."""
        if self.choices:
            words = f"one of {', '.join(map(str, self.choices))}"
        elif self.is_size:
            words = f"a size such as 640x480, at most {MOST_SIDE} a side"
        elif self.count is None:
            words = ("a " if self.item in (int, float) else "") + NOUNS[self.item]
        else:
            words = f"{self.count or ''} {NOUNS[self.item]}s separated by commas".lstrip()
            words += ", smaller first" if self.count == 2 else ""
        for bound, preposition in (("minimum", "at least"), ("maximum", "at most")):
            if self.field.metadata[bound] is not None:
                words += f", {preposition} {self.field.metadata[bound]}"
        return words + (", or none" if self.is_optional else "")
