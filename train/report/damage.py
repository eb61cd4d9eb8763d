"""What reading a record of our own that was damaged ends in, and how that is told."""

from render.plain import clipped

# Tables within tables are not checked name by name: what is wrong shows where they are used.
DAMAGED = (LookupError, TypeError, ValueError, AttributeError, StopIteration, OverflowError)


def damage(error: Exception) -> str:
    """In a few words."""
    what = "it lacks " if isinstance(error, KeyError) else ""
    return f"{what}{clipped(error)}"
