"""What is asked of a plant, what went wrong with it, and whether it has to be told that that is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from spikearm.errors import NoReadingError
from spikearm.hardware.link.served_plant import Recovers, ServedPlant
from spikearm.hardware.link.wire import NO_STOP, Stop

_T = TypeVar("_T")


class Attempts:
    """A failing plant stops the arm, not the server.

    Args:
        plant: The arm.

    Attributes:
        now: What went wrong since it was last set to 0.
        said: What the plant said when it last failed.
    """

    def __init__(self, plant: ServedPlant) -> None:
        self._recovering = plant if isinstance(plant, Recovers) else None
        self._has_failed = False
        self.now = NO_STOP
        self.said = ""

    def note(self, why: Stop, said: str) -> None:
        """Something went wrong. A plant that has failed is one until it was recovered, whatever it says."""
        self.now |= why
        self.said = said
        self._has_failed |= bool(why & Stop.PLANT)

    def make(self, action: Callable[[], _T], *, may_miss: bool = False) -> _T | None:
        """What an action of the plant gives; None if it raises, which is a fault.

        Args:
            action: What is tried.
            may_miss: Whether a single reading that was lost is none.
        """
        try:
            return action()
        except Exception as error:  # noqa: BLE001 - whatever a plant raises, the client must be told
            missed = may_miss and isinstance(error, NoReadingError)
            self.note(NO_STOP if missed else Stop.PLANT, f"{type(error).__name__}: {error}")
            return None

    def recover(self) -> None:
        """Let the plant recover, if it can and has failed; if it does not, that is a fault again."""
        if self._recovering is not None and self._has_failed:
            self._has_failed = False
            self.make(self._recovering.recover)
