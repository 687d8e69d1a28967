"""What a chip cut or let overflow: worth knowing once, not a thousand times a second."""

from __future__ import annotations

import logging


class LogOnce:
    """Logs each message the first time it comes.

    Args:
        logger: Where to.
        origin: What every message starts with.
    """

    def __init__(self, logger: logging.Logger, origin: str) -> None:
        self._logger = logger
        self._origin = origin
        self._told: set[str] = set()

    def __call__(self, message: str) -> None:
        """Log as a warning, unless it was logged before."""
        if message not in self._told:
            self._told.add(message)
            self._logger.warning("%s: %s", self._origin, message)
