"""A stand-in for NxSDK whose board really runs: the compiled emulator behind the calls nengo-loihi makes.

It takes what a chip would take: the snips' rendered C sources tell it what to answer and where to listen,
spikes come as core and axon numbers over a socket, errors as whole numbers, answers go back in packets.
"""

from __future__ import annotations

import importlib
import re
import socket
import struct
import sys
import threading
from collections import defaultdict
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from nengo_loihi import simulator as simulator_module
from nengo_loihi.hardware import builder, interface, nxsdk_shim

from spikearm.hardware.loihi.backend import LoihiBackend
from spikearm.hardware.loihi.board import MAX_HOST_SPIKES
from spikearm.hardware.loihi.config import LoihiConfig

UJ_PER_STEP = 121.0
_PACKET = 64
_RANGED = re.compile(
    r"i < (?P<n>\d+); i\+\+\) \{\s*(?:// pack spikes\s*int i_out = (?P<packed>\d+) \+"
    r"|buffer\[(?P<out>\d+) \+ i\] =)[\s\S]*?core(?P<core>\d+)->cx_state\s*"
    r"\[(?P<first>\d+) \+ i\*(?P<step>\d+)\]\.(?P<key>[UV])",
)
_SINGLE = re.compile(
    r"buffer\[(?P<out>\d+)\] = core(?P<core>\d+)->cx_state\[(?P<first>\d+)\]\.(?P<key>[UV])(?P<spike> ==)?"
)


class Register:
    """Any register of a core: takes every configuration, and remembers how often."""

    def __init__(self):
        self.__dict__["children"] = defaultdict(Register)
        self.__dict__["n_written"] = 0

    def __getattr__(self, name):
        return self.children[name]

    def __getitem__(self, index):
        return self.children[index]

    def __setattr__(self, name, value):
        self.__dict__["n_written"] += 1

    def configure(self, **fields):
        self.__dict__["n_written"] += 1


class Core(Register):
    def __init__(self, chip, number):
        super().__init__()
        self.__dict__.update(parent=chip, id=number, axons=[])

    def createDiscreteAxon(self, **axon):  # noqa: N802 NxSDK's name
        self.axons.append(axon)


class Chip:
    def __init__(self, board, number, n_cores):
        self.parent, self.id = board, number
        # Numbers on a board do not start at 0: what mixes up number and index is found.
        self.n2CoresAsList = self.n2Cores = [Core(self, 4 + i) for i in range(n_cores)]


class Channel:
    def connect(self, source, target):
        self.ends = source, target


class Board:
    """What NxSDK calls N2Board."""

    opened: list[Board] = []  # noqa: RUF012 the test's own list
    twin = None
    """Makes a program on the emulator, of the network that this board is about to run."""
    fails = 0
    """How often starting a board fails."""

    def __init__(self, board_id, n_chips, n_cores_per_chip, n_synapses_per_core):
        self.n2Chips = [Chip(self, 7, n) for n in n_cores_per_chip]
        self.executor = SimpleNamespace(
            hasStarted=lambda: self.started, _host_coordinator=SimpleNamespace(hostAddr="127.0.0.1")
        )
        self.started = self.stopped = False
        self.allowed, self.n_steps, self.runs = 0, 0, []
        self.sources: dict[str, str] = {}
        self.energy = SimpleNamespace(totalEnergy=0.0)
        Board.opened.append(self)

    def load(self, model, board):
        """The program that gives this board's answers, and how its blocks lie on the cores."""
        self.program = Board.twin()
        twin = self.program._simulator
        self.emulator = twin.sims["emulator"]
        number = {block: i for i, block in enumerate(model.blocks)}
        blocks = list(twin.model.blocks)
        self.block_at = {
            nxsdk_core.id: blocks[number[core.blocks[0]]]
            for core, nxsdk_core in zip(board.chips[0].cores, self.n2Chips[0].n2CoresAsList, strict=True)
        }
        self.axons = [
            (twin_input, idx, {(int(a["core_id"]), int(a["axon_id"])) for a in axons})
            for ours, twin_input in zip(model.inputs, twin.model.inputs, strict=True)
            for idx, axons in self.spike_inputs[ours].axon_map.items()
        ]

    def createSnip(self, **options):  # noqa: N802
        path = Path(options.get("cppFile") or options["cFilePath"])
        self.sources[path.name] = path.read_text()
        return SimpleNamespace()

    def createChannel(self, name, **options):  # noqa: N802
        return Channel()

    def probe(self, kind, condition):
        assert (kind, condition["tStart"], self.started) == ("energy", 1, False)
        return self.energy

    def start(self):
        if Board.fails:
            Board.fails -= 1
            raise RuntimeError("no answer from the board")
        port = int(re.search(r"SERVER_PORT htons\((\d+)\)", self.sources["nengo_host.cpp"])[1])
        self.server = socket.create_server(("127.0.0.1", port))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.started = True

    def run(self, steps, aSync):
        assert aSync
        assert self.n_steps == self.allowed, "the run before has not ended"
        self.allowed += steps
        self.runs.append(steps)
        if not self.thread.ident:
            self.thread.start()

    def finishRun(self):  # noqa: N802
        assert self.n_steps == self.allowed

    def disconnect(self):
        if self.started:
            self.server.close()
            self.thread.join(5.0) if self.thread.ident else None
        self.program.close()
        self.stopped = True

    def serve(self):
        connection, _ = self.server.accept()
        source = self.sources["nengo_io_chip_0.c"]
        n_errors, n_packets = (
            int(re.search(rf"#define {name} (\d+)", source)[1]) for name in ("N_ERRORS", "N_OUTPUT_PACKETS")
        )
        with connection:
            while True:
                (size,) = self._take(connection, 1)
                if size < 0:
                    return
                self._advance(self._take(connection, size), n_errors)
                answer = np.zeros(n_packets * _PACKET, np.int32)
                self._answer(source, answer)
                connection.sendall(answer.tobytes())

    @staticmethod
    def _take(connection, n):
        data = b""
        while len(data) < 4 * n:
            data += connection.recv(4 * n - len(data))
        return struct.unpack(f"{n}i", data)

    def _advance(self, message, n_errors):
        assert self.n_steps < self.allowed, "the board has not been told to run so far"
        n_spikes, rest = message[0], message[1:]
        assert n_spikes <= MAX_HOST_SPIKES
        arrived = {(rest[2 * i] >> 16, rest[2 * i] & 0xFFFF) for i in range(n_spikes)}
        spikes = defaultdict(list)
        for spike_input, neuron, axons in self.axons:
            if axons <= arrived:
                spikes[spike_input].append(neuron)
        assert sum(len(a) for s, n, a in self.axons if n in spikes[s]) == n_spikes, "axons lead nowhere"
        sent = [(s, self.emulator.t + 1, np.array(neurons)) for s, neurons in spikes.items() if neurons]
        self.emulator.host2chip(sent, [])
        rest = rest[2 * n_spikes :]
        for _ in range(n_errors if rest else 0):
            core, n = rest[:2]
            learning = next(s for s in self.block_at[core].synapses if s.learning)
            self.emulator.synapses.pes_errors[learning] += np.array(rest[2 : 2 + n])
            rest = rest[2 + n :]
        assert not rest
        self.emulator.step()
        self.n_steps += 1
        self.energy.totalEnergy += UJ_PER_STEP

    def _answer(self, source, answer):
        answer[0] = self.n_steps
        compartment = self.emulator.compartment
        for found in _RANGED.finditer(source):
            where = self._where(found, int(found["n"]), int(found["step"]))
            if found["packed"] is None:
                state = compartment.voltage if found["key"] == "V" else compartment.current
                start = int(found["out"])
                answer[start : start + where.size] = state[where]
            else:
                packed = np.packbits(compartment.spiked[where], bitorder="little")
                words = np.zeros(-(-where.size // 32) * 4, np.uint8)
                words[: packed.size] = packed
                start = int(found["packed"])
                answer[start : start + words.size // 4] = words.view(np.int32)
        for found in _SINGLE.finditer(source):
            where = self._where(found, 1, 1)
            states = compartment.spiked if found["spike"] else compartment.voltage
            answer[int(found["out"])] = states[where][0]

    def _where(self, found, n, step):
        block = self.block_at[int(found["core"])]
        first = self.emulator.block_info.slices[block].start + int(found["first"])
        return np.arange(first, first + n * step, step)


class LoadingSnips(interface.Snips):
    """Tells the stand-in which network it was loaded with: a chip would know from its registers."""

    def __init__(self, model, board, nxsdk_board, max_spikes_per_step):
        nxsdk_board.load(model, board)
        super().__init__(model, board, nxsdk_board, max_spikes_per_step)


def _modules():
    code = SimpleNamespace(numUCodes=1, uCodes=[0])
    trace = SimpleNamespace(genTraceCfg=lambda **_: SimpleNamespace(writeToRegister=lambda register: None))
    return {
        "nxsdk": {"__version__": "1.0.0", "__file__": __file__, "__path__": []},
        "nxsdk.compiler.microcodegen.interface": {"ruleToUCode": lambda rules, doOptimize: code},
        "nxsdk.graph.graph": {"Graph": object},
        "nxsdk.graph.nxinputgen.nxinputgen": {"BasicSpikeGenerator": Register},
        "nxsdk.graph.nxprobes": {"N2SpikeProbe": SimpleNamespace(probeDict={})},
        "nxsdk.graph.processes.phase_enums": {"Phase": Register()},
        "nxsdk.arch.n2a.compiler.tracecfggen.tracecfggen": {"TraceCfgGen": lambda: trace},
        "nxsdk.arch.n2a.n2board": {"N2Board": Board},
        "nxsdk.api.enums.api_enums": {"ProbeParameter": SimpleNamespace(ENERGY="energy")},
        "nxsdk.graph.monitor.probes": {"PerformanceProbeCondition": dict},
    }


_TAKEN = {
    builder: ("NxsdkBoard", "SpikeGen", "TraceConfigGenerator", "micro_gen"),
    interface: ("SnipPhase", "SpikeProbe", "assert_nxsdk", "nxsdk"),
    simulator_module: ("HAS_NXSDK",),
}
"""Names that nengo-loihi's modules imported from its shim before there was an NxSDK."""


@pytest.fixture
def nxsdk(monkeypatch):
    """NxSDK, importable."""
    for name, contents in _modules().items():
        parts = name.split(".")
        for i in range(1, len(parts) + 1):
            path = ".".join(parts[:i])
            if path not in sys.modules:
                monkeypatch.setitem(sys.modules, path, ModuleType(path))
                if i > 1:
                    setattr(sys.modules[".".join(parts[: i - 1])], parts[i - 1], sys.modules[path])
        vars(sys.modules[name]).update(contents)
    kept = dict(vars(nxsdk_shim))
    importlib.reload(nxsdk_shim)
    for module, names in _TAKEN.items():
        for name in names:
            monkeypatch.setattr(module, name, getattr(nxsdk_shim, name))
    monkeypatch.setattr(interface, "Snips", LoadingSnips)
    # The stand-in is a thread, which a busy machine keeps waiting for longer than a board ever would.
    monkeypatch.setattr(interface.HostSnip, "recv_retries", 3000)
    monkeypatch.setattr(Board, "opened", [])
    yield Board
    vars(nxsdk_shim).clear()
    vars(nxsdk_shim).update(kept)
    assert all(board.stopped for board in Board.opened)


@pytest.fixture
def on_board(nxsdk):
    """Compiles for the board."""
    programs = []

    def compile_(network, seed=0, **options):
        nxsdk.twin = lambda: LoihiBackend().compile(network, dt_s=0.001, seed=seed)
        backend = LoihiBackend(LoihiConfig(target="loihi"), **options)
        programs.append(backend.compile(network, dt_s=0.001, seed=seed))
        return programs[-1]

    yield compile_
    for program in programs:
        program.close()
