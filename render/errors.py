"""The one error that reaches the user as a single line."""


class InputError(Exception):
    """Something the user gave is unusable; the message names it, what is wrong and what is right.

    Raised at the border (files, options), shown by the command line without a traceback, exit code 1.
    """
