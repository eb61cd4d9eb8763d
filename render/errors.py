"""The one error that reaches the user as a single line."""

EGL_FIX = "run: apt-get update && apt-get install -y libegl1 libgl1 libgl1-mesa-dri"


class InputError(Exception):
    """Something the user gave is unusable; the message names it, what is wrong and what is right.

    Raised at the border (files, options); the command line shows it alone, exit code 1.
    """
