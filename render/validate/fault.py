"""What is wrong with a dataset, by file, and what collects it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from render.errors import InputError


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with one file; as text, the line that says so."""

    path: Path
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class Faults:
    """The faults found so far, in the order of their finding."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, path: Path, message: str) -> None:
        """Note a fault of a file."""
        self.found.append(Fault(path, message))

    def has(self, path: Path) -> bool:
        """Whether a file has one."""
        return any(fault.path == path for fault in self.found)

    @contextmanager
    def caught(self, path: Path) -> Iterator[None]:
        """Turn an InputError into a fault of this file, so that checking goes on after it."""
        try:
            yield
        except InputError as error:
            self.add(path, str(error).removeprefix(str(path)).lstrip(":, "))
