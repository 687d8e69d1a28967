"""Exit codes of all commands."""

DONE, FAILED, BAD_ARGUMENTS = 0, 1, 2
