"""What a chip cut or let overflow: worth knowing once, not a thousand times a second."""

from __future__ import annotations

import logging

_WORDS = {
    "Consider changing `Model.pes_error_scale`.": (
        "Larger errors are cut to that, in units of the learned output (the iiwa14's: 20 N m): learning is "
        "slower while they last, not wrong. Agents that act at random cause them, and heavy loads. A smaller "
        "pes_error_scale (--pes-error-scale, LoihiConfig) takes larger errors, in coarser steps."
    ),
}
"""What nengo-loihi advises, in terms of this package."""


class LogOnce:
    """Logs each message the first time it comes; what is advised in it is said once.

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
            self._logger.warning("%s: %s", self._origin, self._in_our_words(message))

    def _in_our_words(self, message: str) -> str:
        for advice, words in _WORDS.items():
            if advice in message:
                message = message.replace(advice, "" if advice in self._told else words).strip()
                self._told.add(advice)
        return message
