"""Bad input: exit code 2 (1 if the place is at fault), a reason on stderr, nothing on stdout, no folder."""

from __future__ import annotations

import numpy as np
import pytest

from spikearm.launch import compare, run
from spikearm.models.encoder import shipped_encoder_path

QUICK = ("--trials", 1, "--duration-s", 0.01)


@pytest.fixture
def refused(spikearm, tmp_path):
    """The complaint about a command, which must leave nothing behind."""

    def call(*words: object, code: int = 2) -> str:
        out = tmp_path / "runs"
        ended = spikearm(*words, "--out", out)
        assert ended.code == code
        assert ended.out == ""
        assert "Traceback" not in ended.err
        assert not out.exists()
        return ended.complaint

    return call


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--controller", "osc", "--backend", "lohi"), "Did you mean 'loihi'?"),
        (("--backend", "lohi"), "no backend named 'lohi'. Known: 'crossbar', 'loihi', 'reference'. Did you"),
        (("--arm", "iiwa"), "'ur5e'. Did you mean 'iiwa14'?"),
        (("--controller", "adaptve"), "Did you mean 'adaptive'?"),
        (("--config", "payload-lohi"), "Did you mean 'payload-loihi'?"),
        (("--bakend", "loihi"), "--backend"),
        (("--trials", "x"), "--trials"),
        (("--trials", 0), "trials must be at least 1, not 0"),
        (("--seed", -1), "seed must be 0 or more, not -1"),
        (
            ("--control-dt-s", 0.0025),
            "control step 0.0025 s is not a multiple of physics step 0.001 s; use e.g. 0.002 s or 0.003 s.",
        ),
        (
            ("--network-dt-s", 0.0003),
            "control step 0.001 s is not a multiple of network step 0.0003 s; use e.g. 0.0009 s or 0.0012 s.",
        ),
        (("--control-dt-s", "nan"), "control_dt_s must be a positive number, not nan"),
        (("--control-dt-s", -0.001), "control_dt_s must be a positive number, not -0.001"),
        (("--payload-kg", "nan"), "payload_kg must be finite, not nan"),
        (("--payload-kg", "inf"), "payload_kg must be finite, not inf"),
        (("--payload-kg", -1), "payload_kg must be 0 or more, not -1.0"),
        (("--force-n", 0, "nan", 0), "force_n must be finite"),
        (("--distance-m", 5), "cannot reach 5 m from its home in any direction tried"),
        (("--distance-m", "nan"), "distance_m must be a positive number, not nan"),
        (("--duration-s", "inf"), "duration_s must be a positive number, not inf"),
        (("--joint-friction", 1, 2), "joint_friction has 2 values, the arm has 7 joints"),
        (("--kp", "nan"), "gain kp must be a number of at least 0, not nan"),
        (("--learning-rate", "nan"), "learning_rate must be a positive number, not nan"),
        (("--network-dt-s", 0), "network_dt_s must be a positive number, not 0.0"),
        (("--n-neurons", 0), "n_neurons=0 cannot be split into n_ensembles=1 equal parts"),
        (("--backend", "loihi", "--target", "loihi"), "needs Intel's NxSDK (0.9 to 1.0)"),
        (("--name", "a/b"), "cannot be a path"),
        (("--arm", "none.xml"), "none.xml"),
        (("--encoder", "none.npz"), "no encoder weights at none.npz; `spikearm train encoder` makes them."),
        (("--adc-bits", 0), "adc_bits"),
    ],
)
def test_setting_that_cannot_be_used_is_explained(refused, words, complaint):
    assert complaint in refused("run", *QUICK, *words)


@pytest.mark.parametrize("command", ["run", "compare"])
def test_unknown_key_in_a_file_gets_a_suggestion(refused, tmp_path, command):
    path = tmp_path / "a.toml"
    path.write_text("payload_kg = 1.0\n")
    complaint = refused(command, "--config", path)
    assert "no key named 'payload_kg'." in complaint
    assert "Did you mean 'perturbation.payload_kg'?" in complaint


def test_compare_refuses_what_run_refuses(refused):
    assert "no arm named 'iiwa'." in refused("compare", "--arm", "iiwa")
    assert "needs Intel's NxSDK" in refused("compare", *QUICK, "--target", "loihi")


def test_nan_in_a_file_is_refused(refused, tmp_path):
    path = tmp_path / "a.toml"
    path.write_text("[perturbation]\npayload_kg = nan\n")
    assert "payload_kg must be finite, not nan" in refused("run", "--config", path)


ARM_WITHOUT_SITE = """
<mujoco>
  <worldbody>
    <body>
      <joint name="j" axis="0 1 0" range="-1 1"/>
      <geom size="0.1" mass="1"/>
    </body>
  </worldbody>
  <actuator><motor joint="j" ctrlrange="-1 1"/></actuator>
</mujoco>
"""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (ARM_WITHOUT_SITE, "site"),
        ("<mujoco><worldbody>", "arm.xml"),
        ("", "arm.xml"),
        ("<mujoco/>", "arm.xml"),
    ],
    ids=["no end-effector site", "broken", "empty", "no arm"],
)
def test_model_that_is_no_arm_is_explained(refused, tmp_path, text, complaint):
    path = tmp_path / "arm.xml"
    path.write_text(text)
    shown = refused("run", "--arm", path, "--encoder", "none")
    assert "ModelError" in shown
    assert complaint in shown


def test_weights_of_another_arm_are_refused(refused):
    complaint = refused("run", "--arm", "planar2", "--encoder", shipped_encoder_path("iiwa14"))
    assert "was trained for arm 'iiwa14' with 7 joints, not for 'planar2' with 2" in complaint
    assert "`spikearm train encoder --arm planar2`" in complaint


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_damaged_weights_are_refused(refused, tmp_path, share):
    content = shipped_encoder_path("iiwa14").read_bytes()
    path = tmp_path / "encoder.npz"
    path.write_bytes(content[: int(share * len(content))])
    assert "cannot be read" in refused("run", "--encoder", path)


def test_foreign_arrays_are_no_weights(refused, tmp_path):
    path = tmp_path / "encoder.npz"
    np.savez(path, something=np.zeros(3))
    assert "cannot be read" in refused("run", "--encoder", path)


@pytest.mark.parametrize("command", ["run", "compare"])
def test_unwritable_folder_is_refused_before_any_work(spikearm, tmp_path, monkeypatch, command):
    for module in (run, compare):
        monkeypatch.setattr(module, "compose", lambda config: pytest.fail("composed first"))
    (tmp_path / "file").touch()
    ended = spikearm(command, "--out", tmp_path / "file" / "runs", "--json")
    assert (ended.code, ended.out) == (2, "")
    assert "RunFolderError: cannot make run folder" in ended.err
    assert "choose another place with --out" in ended.err


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (("rnu",), "Did you mean 'run'?"),
        (("compar", "--json"), "Did you mean 'compare'?"),
        (("train", "encodr"), "Did you mean 'train encoder'?"),
        (("reprot", "runs"), "Did you mean 'report'?"),
        (("--jsn",), "no command named '--jsn'"),
    ],
)
def test_unknown_command_gets_a_suggestion_in_two_lines(spikearm, words, suggestion):
    ended = spikearm(*words)
    assert (ended.code, ended.out) == (2, "")
    complaint, then = ended.err.splitlines()
    assert suggestion in complaint
    assert then == "`spikearm` alone says what each of them does."


def test_half_a_command_lists_the_other_halves(spikearm):
    ended = spikearm("logs")
    assert (ended.code, ended.out) == (2, "")
    assert "usage: spikearm logs COMMAND [OPTIONS]" in ended.err
    assert "  logs recover  " in ended.err
    assert "doctor" not in ended.err


def test_film_of_a_format_that_is_none_is_refused_before_the_run(refused, tmp_path):
    complaint = refused("run", "--video", tmp_path / "film.txt")
    assert "film.txt is no name for a film; end it in .mp4, .mkv or .mov." in complaint
    assert list(tmp_path.iterdir()) == []


def test_recover_of_no_folder_is_refused(spikearm, tmp_path):
    ended = spikearm("logs", "recover", tmp_path / "none", "--json")
    assert (ended.code, ended.out) == (2, "")
    assert "no run folder" in ended.complaint


def test_recover_of_a_folder_without_log_is_refused(spikearm, tmp_path):
    ended = spikearm("logs", "recover", tmp_path, "--json")
    assert (ended.code, ended.out) == (2, "")
    assert "holds no ticks: the run ended before its first tick" in ended.complaint


def test_recover_of_a_damaged_header_is_refused(spikearm, tmp_path):
    (tmp_path / "ticks.journal").write_bytes(b"nothing like a journal")
    ended = spikearm("logs", "recover", tmp_path, "--json")
    assert (ended.code, ended.out) == (1, "")
    assert "JournalError" in ended.complaint
    assert (tmp_path / "ticks.journal").exists()
