"""The robot's period as the loop's clock."""

from __future__ import annotations

from spikearm.hardware.link.remote_plant import RemotePlant


class LinkClock:
    """The robot's period as the loop's clock: a tick is due when a new state has come.

    Of one loop: the time between two of its ticks goes into the link's statistics, as an error of the period.

    Args:
        plant: The robot.
        arm: Whether the start of a loop arms the robot; if not, it is only looked at.
    """

    def __init__(self, plant: RemotePlant, *, arm: bool = True) -> None:
        self._plant = plant
        self._arm = arm
        self._answer_now = False
        self._sequence = self._taken_ns = 0

    @property
    def waits(self) -> bool:
        """In lock step the robot's time stands still until its next command."""
        return self._plant.lock_step

    def start(self) -> None:
        """Arm the robot now, immediately before the first tick: an armed robot waits for nobody.

        States that have come since the robot was joined are left behind, armed or not.

        Raises:
            ProtectiveStopError: It has stopped, or ends.
            LinkError: It does not become active.
        """
        self._taken_ns = 0
        if self._arm:
            self._plant.arm()
            self._answer_now = True  # the state that says so waits for its command
        elif not self._plant.lock_step:
            self._plant.catch_up()

    def wait(self) -> float:
        """Wait for the next state; how much longer it took to come than the fastest so far [s].

        In lock step the state after the last command is there already.

        Raises:
            LinkError: None came in time.
        """
        if self._plant.lock_step or self._answer_now:
            self._answer_now = False
            return 0.0
        state, statistics = self._plant.next_state(), self._plant.statistics
        if self._taken_ns:
            passed_s = 1e-9 * (statistics.taken_ns - self._taken_ns)
            statistics.period_error.add(abs(passed_s - (state.sequence - self._sequence) * state.dt_s))
        self._sequence, self._taken_ns = state.sequence, statistics.taken_ns
        return statistics.delay_s
