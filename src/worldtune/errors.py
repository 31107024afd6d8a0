"""Errors that are the user's to mend: the message says what was found and expected, what to do.

Raise a subclass where a caller may want to tell one kind from another. The Kedro hooks show every
``ValueError`` class that this package defines as plain text, without a traceback.
"""


class UserError(ValueError):
    """Something outside the code is wrong: a parameter, a file, a row."""


class ParameterError(UserError):
    """A parameter is misspelt, ill-typed or out of range; the message names its full key."""


class CheckpointError(UserError):
    """A folder is not a complete checkpoint in Hugging Face format."""
