"""The robot's period as the loop's clock."""

from __future__ import annotations

from spikearm.hardware.link.remote_plant import RemotePlant


class LinkClock:
    """The robot's period as the loop's clock: a tick is due when a new state has come.

    Args:
        plant: The robot.
        arm: Whether the start of a loop arms the robot; if not, it is only looked at.
    """

    def __init__(self, plant: RemotePlant, *, arm: bool = True) -> None:
        self._plant = plant
        self._arm = arm
        self._answer_now = False

    @property
    def waits(self) -> bool:
        """In lock step the robot's time stands still until its next command."""
        return self._plant.lock_step

    def start(self) -> None:
        """Arm the robot now, immediately before the first tick: an armed robot waits for nobody.

        Raises:
            ProtectiveStopError: It has stopped.
            LinkError: It does not become active.
        """
        if self._arm:
            self._plant.arm()
            self._answer_now = True  # the state that says so waits for its command

    def wait(self) -> float:
        """Wait for the next state; how much longer it took to come than the fastest so far [s].

        In lock step the state after the last command is there already.

        Raises:
            LinkError: None came in time.
        """
        if self._plant.lock_step or self._answer_now:
            self._answer_now = False
            return 0.0
        statistics = self._plant.statistics
        statistics.take_period(self._plant.next_state())
        return statistics.delay_s
