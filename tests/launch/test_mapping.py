from __future__ import annotations

import dataclasses
import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest

from spikearm.controller.laws.gains import Gains
from spikearm.envs.perturbation import Perturbation
from spikearm.errors import ConfigError, UnknownNameError
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.launch.config import NetworkConfig, RunConfig
from spikearm.launch.mapping import from_mapping, to_mapping


@dataclass(frozen=True)
class Inner:
    size: int = 1
    ratio: float = 0.5


@dataclass(frozen=True)
class Outer:
    name: str = "a"
    flag: bool = False
    path: Path = Path("x")
    maybe: float | None = None
    pair: tuple[float, float] = (0.0, 0.0)
    many: tuple[str, ...] = ()
    choice: Literal["one", "two"] = "one"
    noted: Annotated[int, "a note"] = 3
    inner: Inner = field(default_factory=Inner)


UNUSUAL = RunConfig(
    backend="crossbar",
    trials=3,
    duration_s=1.5,
    distance_m=0.1,
    seed=9,
    perturbation=Perturbation(
        payload_kg=0.5,
        payload_offset_m=(0.0, 0.01, 0.0),
        joint_friction=(0.1,) * 7,
        force_field=((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
    ),
    network=NetworkConfig(encoder="none", n_neurons=500, n_ensembles=5),
    crossbar=CrossbarConfig(adc_bits=None, digital=("a*", "b")),
    gains=Gains(kp=100.0, kd=10.0),
    actuation_delay="modelled",
    realtime=True,
    out=Path("/somewhere"),
    name="unusual",
)


@pytest.mark.parametrize("config", [RunConfig(), UNUSUAL], ids=["default", "unusual"])
def test_settings_survive_json(config):
    document = json.loads(json.dumps(to_mapping(config)))
    assert from_mapping(RunConfig(), document) == config


def test_mapping_is_made_of_plain_values():
    def plain(value: object) -> bool:
        if isinstance(value, dict):
            return all(isinstance(key, str) and plain(v) for key, v in value.items())
        if isinstance(value, list):
            return all(map(plain, value))
        return value is None or type(value) in (str, int, float, bool)

    assert plain(to_mapping(UNUSUAL))


def test_settings_come_from_toml():
    text = """
        name = "b"
        pair = [1, 2.5]
        many = ["x", "y"]
        choice = "two"
        path = "/some/y"
        [inner]
        ratio = 2
    """
    assert from_mapping(Outer(), tomllib.loads(text)) == Outer(
        name="b", pair=(1.0, 2.5), many=("x", "y"), choice="two", path=Path("/some/y"), inner=Inner(1, 2.0)
    )


def test_what_is_not_mentioned_stays():
    base = Outer(name="kept", inner=Inner(size=7))
    assert from_mapping(base, {"inner": {"ratio": 1.0}}) == dataclasses.replace(base, inner=Inner(7, 1.0))
    assert from_mapping(base, {}) == base


def test_whole_number_serves_as_a_float():
    converted = from_mapping(Outer(), {"maybe": 2})
    assert type(converted.maybe) is float


def test_unknown_key_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match=r"no key named 'nam'\. .*Did you mean 'name'\?"):
        from_mapping(Outer(), {"nam": "b"})


def test_unknown_nested_key_is_named_with_its_path():
    with pytest.raises(UnknownNameError, match=r"no key named 'inner\.siz'\. .*Did you mean 'inner\.size'\?"):
        from_mapping(Outer(), {"inner": {"siz": 1}})


def test_key_given_too_high_is_found_below():
    with pytest.raises(UnknownNameError, match=r"Did you mean 'perturbation\.payload_kg'\?"):
        from_mapping(RunConfig(), {"payload_kg": 1.0})


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"name": 1}, "name = 1 is not of type str"),
        ({"flag": "yes"}, "flag = 'yes' is not of type bool"),
        ({"flag": 1}, "flag = 1 is not of type bool"),
        ({"maybe": "x"}, "maybe = 'x' is not of type float or NoneType"),
        ({"maybe": True}, "maybe = True is not of type float or NoneType"),
        ({"noted": 1.5}, "noted = 1.5 is not of type int"),
        ({"noted": True}, "noted = True is not of type int"),
        ({"pair": 1.0}, "pair = 1.0 is not of type tuple"),
        ({"pair": [1.0]}, r"pair = \[1.0\] has 1 values, needs 2"),
        ({"pair": [1.0, "x"]}, r"pair\[1\] = 'x' is not of type float"),
        ({"many": [1]}, r"many\[0\] = 1 is not of type str"),
        ({"choice": "three"}, "choice = 'three' is not of type 'one' or 'two'"),
        ({"path": 3}, "path = 3 is not of type Path"),
        ({"inner": 3}, "inner = 3 is not of type Inner"),
        ({"inner": {"size": "x"}}, "inner.size = 'x' is not of type int"),
    ],
)
def test_wrong_type_names_key_and_type(mapping, message):
    with pytest.raises(ConfigError, match=message):
        from_mapping(Outer(), mapping)


def test_ranges_are_checked_whichever_way_a_value_comes():
    with pytest.raises(ConfigError, match="payload_kg must be finite, not nan"):
        from_mapping(RunConfig(), {"perturbation": {"payload_kg": float("nan")}})
