"""What a line of the log is about: of several runs, the one that a warning comes from is named."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from spikearm.errors import SpikearmError

_subject: ContextVar[str] = ContextVar("subject", default="")


@contextmanager
def about(subject: str) -> Iterator[None]:
    """Whatever is logged or goes wrong meanwhile is about this.

    Raises:
        SpikearmError: As it was raised, with a note that names the subject.
    """
    token = _subject.set(subject)
    try:
        yield
    except SpikearmError as error:
        error.add_note(f"This was about {subject!r}.")
        raise
    finally:
        _subject.reset(token)


class SubjectFormatter(logging.Formatter):
    """One line: level, subject if there is one, message."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        subject = _subject.get()
        line = super().format(record)
        return f"{record.levelname}: {subject}: {line}" if subject else f"{record.levelname}: {line}"
