"""Errors are part of the interface: what, the value received, what is allowed, what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SpikearmError(Exception):
    """Base class of every error this package raises on purpose."""


class UnknownNameError(SpikearmError, ValueError):
    """A name that is not in a table: a backend, an arm, a controller, a port, a key."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        message = f"no {kind} named {name!r}. Known: {', '.join(map(repr, names)) or 'none'}."
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        if close:
            message += f" Did you mean {close[0]!r}?"
        super().__init__(message)


class ConfigError(SpikearmError, ValueError):
    """A setting that is out of its range, or that contradicts another."""


class TimeStepError(SpikearmError, ValueError):
    """Two time steps of which one must divide the other, and does not."""


class PortError(SpikearmError, ValueError):
    """A network was given an input it has no port for, of the wrong size, or not finite."""


class CapacityError(SpikearmError, ValueError):
    """A network that does not fit on its substrate."""


class StateError(SpikearmError, ValueError):
    """A saved state that does not belong to the program it is loaded into."""


class ClosedError(SpikearmError, RuntimeError):
    """Something, a program or a plant, that was used after it was closed."""


class WeightsError(SpikearmError, ValueError):
    """Trained weights that are missing, damaged, or made for another arm."""


class ModelError(SpikearmError, ValueError):
    """An arm model (MJCF) that cannot be used, with the reason."""


class UnreachableError(SpikearmError, ValueError):
    """A pose the arm cannot reach."""


class NotFiniteError(SpikearmError, ValueError):
    """A NaN or an infinity where a number is needed."""


class SimulationDivergedError(SpikearmError, RuntimeError):
    """The physics produced a number that is not finite, or MuJoCo warned of an unstable state."""


class JournalError(SpikearmError, RuntimeError):
    """A tick log that cannot be written or read."""


class RunFolderError(SpikearmError, OSError):
    """A run folder that cannot be made, found or written."""


class DrawingError(SpikearmError, RuntimeError):
    """A film that nothing on this computer can draw."""


class AddressError(SpikearmError, ValueError):
    """An address of a link that cannot be understood, must not be used this way, or at which nothing is."""


class KeyFileError(SpikearmError, OSError):
    """A key file that is missing, of the wrong length, or readable by others."""


class LinkError(SpikearmError, ConnectionError):
    """A link on which nothing arrives, or whose other end does not fit."""


class ProtectiveStopError(SpikearmError, RuntimeError):
    """The robot has stopped by itself and stays stopped until somebody recovers it."""


class RobotEndedError(ProtectiveStopError):
    """The robot's own program was told to end: it is served again, not recovered."""


class NetworkLostError(SpikearmError, RuntimeError):
    """A network that has given nothing that can be used for too long."""


class DriveError(SpikearmError, RuntimeError):
    """A real arm's drive that cannot be reached, or that refuses."""


class NoReadingError(DriveError):
    """A single reading that was lost: nothing is known of the arm now, and the next one may come."""
