"""A program across a wire: the same numbers, the same errors, and its age."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from spikearm.errors import AddressError, ClosedError, LinkError, NetworkLostError, PortError, StateError
from spikearm.hardware.link import program_server, remote_program
from spikearm.hardware.link.address import open_server_socket, parse_address
from spikearm.hardware.link.channel import DatagramChannel
from spikearm.hardware.link.key import TAG_BYTES
from spikearm.hardware.link.network_packets import (
    MAX_PACKET_BYTES,
    Kind,
    Packet,
    pack,
    spec_digest,
    unpack,
)
from spikearm.hardware.link.program_server import ProgramServer
from spikearm.hardware.link.remote_program import RemoteBackend, RemoteProgram
from spikearm.hardware.link.wire import Cause, Refused
from spikearm.hardware.registry import BACKENDS, make_backend
from spikearm.models.adaptive import AdaptiveNetwork
from spikearm.models.scaling import StateScaling
from spikearm.records import NO_COUNTS

DT_S = 0.001
SPEC = AdaptiveNetwork(2, StateScaling((0.0,) * 4, (1.5,) * 4), n_neurons=40, learning_rate=2e-3)
REFERENCE = make_backend("reference")


def inputs(step: int) -> dict[str, np.ndarray]:
    return {"state": np.sin(step / 20 + np.arange(4)), "error": np.array([-4.0, 3.0])}


def fresh(result) -> bool:
    """Whether the network has stepped for this very result."""
    return result.counts.neuron_updates > 0.0


class Served:
    """A program behind a Unix socket, answered by a thread or, when paused, by nobody."""

    def __init__(self, folder, spec=SPEC, key=b"") -> None:
        self.address = parse_address(f"unix:{folder}/net.sock")
        self.channel = DatagramChannel(open_server_socket(self.address), max_bytes=MAX_PACKET_BYTES)
        self.program = REFERENCE.compile(spec, dt_s=DT_S, seed=3)
        digest = spec_digest(spec, dt_s=DT_S, seed=3, substrate="reference")
        self.server = ProgramServer(self.program, spec, digest, self.channel, key)
        self.going_on, self.open_gate = True, threading.Event()
        self.open_gate.set()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        while self.going_on:
            self.open_gate.wait()
            self.server.serve_once(0.01)

    def pause(self) -> None:
        self.open_gate.clear()
        self.channel_idle = threading.Event()
        self.channel_idle.wait(0.05)  # the round that has begun is done by then

    def close(self) -> None:
        self.going_on = False
        self.open_gate.set()
        self.thread.join()
        self.program.close()
        self.channel.close()


@pytest.fixture
def served(short_path):
    served = Served(short_path)
    yield served
    served.close()


@pytest.fixture
def join(served):
    """Makes programs that run there."""
    programs = []

    def make(wait_s=None, spec=SPEC, seed=3, key=b""):
        backend = RemoteBackend(REFERENCE, served.address, key, wait_s)
        programs.append(backend.compile(spec, dt_s=DT_S, seed=seed))
        return programs[-1]

    yield make
    for program in programs:
        program.close()


class LeavesWorkToTheHost(AdaptiveNetwork):
    """A network with functions of nodes in place of neurons."""

    def build(self, *, seed):
        return replace(super().build(seed=seed), host_macs=7)


def test_what_a_remote_network_leaves_to_its_host_is_counted_here(short_path):
    spec = LeavesWorkToTheHost(2, SPEC.scaling, n_neurons=40)
    served = Served(short_path, spec)
    program = RemoteBackend(REFERENCE, served.address).compile(spec, dt_s=DT_S, seed=3)
    assert program.step(inputs(0)).counts.host_macs == 7.0
    program.close()
    served.close()


def test_remote_network_gives_the_same_numbers(join):
    there, here = join(), REFERENCE.compile(SPEC, dt_s=DT_S, seed=3)
    assert there.dt_s == DT_S
    for step in range(60):
        far, near = there.step(inputs(step)), here.step(inputs(step))
        np.testing.assert_array_equal(far.outputs["torque"], near.outputs["torque"])
        assert far.counts == near.counts
        assert far.age_s == 0.0
    here.close()


def test_hello_that_was_repeated_opens_one_session(served, join):
    served.pause()
    opener = threading.Timer(0.2, served.open_gate.set)  # by then the client has asked several times
    opener.start()
    program = join(wait_s=0.5)
    opener.join()
    assert fresh(program.step(inputs(0)))
    assert not served.server.refused


def test_reset_and_saved_state_reach_the_network(join):
    program = join()
    first = [program.step(inputs(i)).outputs["torque"] for i in range(30)]
    saved = program.state_dict()
    on = [program.step(inputs(i)).outputs["torque"] for i in range(30, 50)]
    program.load_state_dict(saved)
    np.testing.assert_array_equal([program.step(inputs(i)).outputs["torque"] for i in range(30, 50)], on)
    program.reset()
    np.testing.assert_array_equal([program.step(inputs(i)).outputs["torque"] for i in range(30)], first)


def test_state_of_another_network_is_refused(join):
    other = REFERENCE.compile(replace(SPEC, n_neurons=30), dt_s=DT_S, seed=3)
    program = join()
    with pytest.raises(StateError):
        program.load_state_dict(other.state_dict())
    program.step(inputs(0))
    other.close()


def test_late_answer_is_held_and_its_age_told(served, join):
    program = join(wait_s=0.002)
    for step in range(200):
        last = program.step(inputs(step))
        if fresh(last):
            break
    assert fresh(last)
    served.pause()
    ages = []
    for step in range(3):
        late = program.step(inputs(step))
        np.testing.assert_array_equal(late.outputs["torque"], last.outputs["torque"])
        assert late.counts.neuron_updates == 0.0
        ages.append(late.age_s)
    assert 0.002 <= ages[0] < ages[1] < ages[2]


@pytest.mark.parametrize("n_updates", [np.nan, np.inf, -1.0])
def test_answer_whose_counts_are_no_counts_is_not_used(served, join, monkeypatch, n_updates):
    """A cost model would make a whole run's energy of them."""
    program = join(wait_s=0.05)
    step = served.program.step

    def spoilt(inputs):
        result = step(inputs)
        return replace(result, counts=result.counts._replace(neuron_updates=n_updates))

    monkeypatch.setattr(served.program, "step", spoilt)
    result = program.step(inputs(0))
    assert result.counts == NO_COUNTS
    assert result.age_s == np.inf
    np.testing.assert_array_equal(result.outputs["torque"], 0.0)


def test_answer_in_time_is_as_old_as_its_question(join):
    program = join(wait_s=2.0)
    for step in range(20):
        began_ns = program._now_ns()
        result = program.step(inputs(step))
        assert fresh(result)
        assert 0.0 < result.age_s <= 1e-9 * (program._now_ns() - began_ns)


def test_before_the_first_answer_the_age_is_infinite(served, join):
    program = join(wait_s=0.001)
    served.pause()
    result = program.step(inputs(0))
    assert result.age_s == np.inf
    np.testing.assert_array_equal(result.outputs["torque"], 0.0)


def test_slow_network_takes_samples(served, join):
    program = join(wait_s=0.0005)
    program.step(inputs(0))
    served.pause()
    for step in range(10):
        program.step(inputs(step))
    served.open_gate.set()
    for step in range(200):
        if fresh(program.step(inputs(step))):
            break
    assert served.server.n_skipped >= 5


def test_next_run_begins_with_the_compiled_network(join):
    first = join()
    torques = [first.step(inputs(i)).outputs["torque"] for i in range(30)]
    first.close()
    second = join()
    np.testing.assert_array_equal([second.step(inputs(i)).outputs["torque"] for i in range(30)], torques)


def test_client_that_leaves_lets_the_next_one_in(served, join):
    join().close()
    join().step(inputs(0))
    assert served.server.refused[Cause.SESSION] == 0


class Tape:
    """A channel that keeps what comes out of it."""

    def __init__(self, channel) -> None:
        self.channel, self.sent, self.came = channel, [], []

    def send(self, packet, peer=None):
        self.sent.append(packet)
        return self.channel.send(packet)

    def receive(self, timeout_s=0.0):
        came = self.channel.receive(timeout_s)
        self.came += [] if came is None else [came]
        return came

    def close(self):
        self.channel.close()


class Ghost(Tape):
    """Nobody is there; what was recorded comes instead, or what was said comes back."""

    def __init__(self, recorded=None) -> None:
        self.recorded, self.said = recorded, []

    def send(self, packet, peer=None):
        self.said.append((packet, None))
        return True

    def receive(self, timeout_s=0.0):
        source = self.said if self.recorded is None else self.recorded
        return source.pop(0) if source else None

    def close(self):
        pass


class Endless(Ghost):
    """There is always one more packet."""

    n_received = 0

    def __init__(self) -> None:
        super().__init__([])

    def receive(self, timeout_s=0.0):
        self.n_received += 1
        return b"noise", None


def test_recorded_run_is_no_answer_to_another_run(join):
    first = join()
    first._channel = tape = Tape(first._channel)
    for step in range(5):
        first.step(inputs(step))
    first._channel, first._wait_s = Ghost(tape.came), 0.01
    # As in a run that has just joined, in a session of the same number.
    first._sequence, first._held_ns, first._joined_ns = 1, None, first._now_ns()
    for _ in range(5):
        assert first.step(inputs(0)).age_s == np.inf
    first._channel = tape


def test_echo_is_no_answer(monkeypatch):
    monkeypatch.setattr(remote_program, "_PATIENCE_S", 0.2)
    with pytest.raises(LinkError, match="no network answers"):
        RemoteProgram(Ghost(), SPEC, b"digest", b"")


@pytest.mark.parametrize("silent_s", [0.0, 100.0])
def test_replayed_hello_ends_no_session(served, join, silent_s):
    """Not even after a long silence: who plays it again cannot answer in the session it is offered."""
    here = REFERENCE.compile(SPEC, dt_s=DT_S, seed=3)
    program = join()
    program.step(inputs(0))
    here.step(inputs(0))
    served.pause()
    server = served.server
    server._heard_ns -= round(1e9 * silent_s)
    for client_ns in (5, 10**18):
        older = Packet(Kind.HELLO, 0, 1, client_ns, 0, server._digest)
        for peer in (server._peer, "stranger"):
            server._accepted(pack(older, b""), peer)
    served.open_gate.set()
    far, near = program.step(inputs(1)), here.step(inputs(1))
    np.testing.assert_array_equal(far.outputs["torque"], near.outputs["torque"])
    here.close()


def test_recorded_session_cannot_be_entered_again(served, join):
    first = join()
    first._channel = tape = Tape(first._channel)
    first.step(inputs(0))
    first.close()
    served.pause()
    n_steps, peer = served.server.n_steps, "stranger"
    for packet in tape.sent:
        assert served.server._accepted(packet, peer) is None
    assert served.server.n_steps == n_steps
    served.open_gate.set()


def test_offers_nobody_takes_up_keep_no_memory(served, join):
    served.pause()
    for k in range(1000):
        hello = Packet(Kind.HELLO, 0, 1, k, 0, served.server._digest)
        served.server._accepted(pack(hello, b""), f"sender {k}")
    assert len(served.server._offers) == 16
    served.open_gate.set()
    join().step(inputs(0))


def test_killed_client_on_this_machine_is_followed_at_once(served, join):
    first = join()
    first.step(inputs(0))
    first._channel._sock.close()  # what a kill leaves behind: a name, and nobody who listens
    before_ns = first._now_ns()
    join().step(inputs(0))
    assert first._now_ns() - before_ns < 2 * 10**9
    first._closed = True


def test_killed_client_elsewhere_is_followed_after_its_silence(served, join, monkeypatch):
    monkeypatch.setattr(program_server, "SILENCE_S", 0.3)
    first = join()
    first.step(inputs(0))
    second = join()  # the first one is there, and silent
    assert fresh(second.step(inputs(0)))


def test_network_that_cannot_go_back_to_its_compiled_state_says_so(served, join, monkeypatch):
    def broken():
        raise RuntimeError("board is gone")

    monkeypatch.setattr(served.program, "reset", broken)
    with pytest.raises(LinkError, match="board is gone"):
        join()
    monkeypatch.undo()
    join().step(inputs(0))


def test_flood_of_answers_does_not_keep_the_loop(join):
    program = join(wait_s=0.001)
    channel, program._channel = program._channel, Endless()
    program.step(inputs(0))
    assert program._channel.n_received < 10_000
    program._channel = channel


@pytest.mark.parametrize("kind", [Kind.ERROR, Kind.LOAD])
def test_question_that_makes_no_sense_moves_nothing(served, join, kind):
    program = join()
    served.pause()
    server = served.server
    server._accepted(pack(Packet(kind, server._session, 50, 0, 7, b"x"), b""), server._peer)
    server._answer(Packet(kind, server._session, 50, 0, 7, b"x"), server._peer)
    served.open_gate.set()
    assert server.refused.total() >= 1
    assert program._session == server._session


def test_network_that_answers_no_more_is_lost_where_time_stands_still(served, join, monkeypatch):
    monkeypatch.setattr(remote_program, "_PATIENCE_S", 0.1)
    program = join()
    program.step(inputs(0))
    served.pause()
    with pytest.raises(NetworkLostError, match=r"has not answered for 0.1 s"):
        program.step(inputs(1))
    served.open_gate.set()


def test_network_that_fails_in_any_way_says_so_and_stays_served(served, join, monkeypatch):
    program = join()
    monkeypatch.setattr(
        served.program, "step", lambda _: (_ for _ in ()).throw(RuntimeError("board \u00b5 is hot"))
    )
    with pytest.raises(NetworkLostError, match=r"board . is hot"):
        program.step(inputs(0))
    monkeypatch.undo()
    assert fresh(program.step(inputs(1)))


def test_answer_of_the_wrong_size_is_no_news(join):
    program = join(wait_s=0.01)
    answer = Packet(Kind.STEP, program._session, 2, 10**18, 0, b"short", answers=True)
    channel, program._channel = program._channel, Ghost([(pack(answer, b""), None)])
    program._sequence = 1
    assert program.step(inputs(0)).age_s == np.inf
    program._channel = channel


def test_another_network_is_turned_away(join):
    for change in ({"spec": replace(SPEC, learning_rate=1e-3)}, {"seed": 4}):
        with pytest.raises(LinkError, match=r"serves another network\. Give both ends the same"):
            join(**change)


def test_second_client_is_turned_away(join, monkeypatch):
    monkeypatch.setattr(remote_program, "_JOIN_S", 0.2)
    first = join()
    with pytest.raises(LinkError, match=r"another loop is in session with this network"):
        join()
    first.step(inputs(0))


def test_bad_inputs_are_refused_here(join):
    program = join()
    with pytest.raises(PortError, match="not finite"):
        program.step({**inputs(0), "error": np.array((np.nan, 0.0))})
    with pytest.raises(PortError, match="missing input 'error'"):
        program.step({"state": np.zeros(4)})


@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_backend_declares_what_the_substrate_does(name):
    substrate = make_backend(name)
    remote = RemoteBackend(substrate, parse_address("udp://127.0.0.1:1"))
    assert remote.name == name
    assert remote.has_dead_time == substrate.has_dead_time
    assert remote.cost_model == substrate.cost_model


def test_nobody_there_is_said_at_once(short_path):
    backend = RemoteBackend(REFERENCE, parse_address(f"unix:{short_path}/none.sock"))
    with pytest.raises(AddressError, match=r"cannot reach .*spikearm backend serve --listen"):
        backend.compile(SPEC, dt_s=DT_S, seed=3)
    with pytest.raises(AddressError, match="give a 32-byte key"):
        RemoteBackend(REFERENCE, parse_address("udp://8.8.8.8:1")).compile(SPEC, dt_s=DT_S, seed=3)


def test_closed_program_says_so(join):
    program = join()
    program.close()
    program.close()
    for use in (lambda: program.step(inputs(0)), program.reset, program.state_dict):
        with pytest.raises(ClosedError, match="this program is closed"):
            use()


def test_fuzzed_packets_are_not_obeyed(served, join):
    program = join()
    program.step(inputs(0))
    served.pause()
    rng = np.random.default_rng(0)
    session, steps = program._session, served.server.n_steps
    genuine = pack(Packet(Kind.STEP, session, 10**6, 0, 0, bytes(48)), b"")
    for i in range(3000):
        spoilt = bytearray(genuine)
        bit = int(rng.integers(8 * len(genuine)))
        spoilt[bit // 8] ^= 1 << bit % 8
        data = rng.bytes(int(rng.integers(300))) if i % 2 else bytes(spoilt)
        assert served.server._accepted(data, "stranger") is None
    foreign = pack(Packet(Kind.STEP, session + 1, 10**6, 0, 0, bytes(48)), b"")
    assert served.server._accepted(foreign, "stranger") is None
    assert served.server._accepted(genuine, "stranger") is None
    assert served.server.n_steps == steps
    assert served.server.refused.total() == 3002


def test_packet_arrives_as_it_was_sent():
    packet = Packet(Kind.SAVE, 2**64 - 1, 2**63, -5, 77, b"payload")
    key = bytes(range(32))
    assert unpack(pack(packet, key), key) == packet
    for data, cause in (
        (pack(packet, b""), Cause.TAG),
        (bytes(TAG_BYTES), Cause.SIZE),
        (bytes(MAX_PACKET_BYTES + 1), Cause.SIZE),
    ):
        with pytest.raises(Refused) as caught:
            unpack(data, key)
        assert caught.value.cause is cause


def test_digest_tells_descriptions_apart():
    def digest(spec=SPEC, dt_s=DT_S, seed=3, substrate="reference"):
        return spec_digest(spec, dt_s=dt_s, seed=seed, substrate=substrate)

    digests = {
        digest(),
        digest(replace(SPEC, n_neurons=41)),
        digest(replace(SPEC, learning_rate=2.1e-3)),
        digest(dt_s=0.002),
        digest(seed=4),
        digest(substrate="loihi"),
    }
    assert len(digests) == 6
    assert digest() == digest(replace(SPEC))
