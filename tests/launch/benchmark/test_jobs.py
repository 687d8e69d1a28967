from __future__ import annotations

import dataclasses

import pytest

from spikearm.errors import RunFolderError
from spikearm.launch.benchmark import jobs as jobs_module
from spikearm.launch.benchmark.jobs import Job, JobStore, code_digest
from spikearm.launch.config import NetworkConfig, RunConfig, SpikingConfig
from spikearm.models.encoder import shipped_encoder_path

JOB = Job("block/row/session-1", RunConfig(controller="osc", trials=1, duration_s=0.1))
RESULT = {"trials": {"mean_m": [1e-3]}}


@pytest.fixture
def store(tmp_path):
    return JobStore(tmp_path / "bench")


def test_result_is_found_again(store):
    assert store.load(JOB) is None
    store.save(JOB, RESULT)
    assert store.load(JOB) == RESULT
    assert JobStore(store.folder).load(JOB) == RESULT
    assert not store.has_other(JOB)


def test_result_of_other_settings_is_not_used_but_noticed(store):
    store.save(JOB, RESULT)
    other = dataclasses.replace(JOB, config=dataclasses.replace(JOB.config, seed=9))
    assert store.load(other) is None
    assert store.has_other(other)


def test_where_a_run_writes_does_not_matter(store, tmp_path):
    store.save(JOB, RESULT)
    moved = dataclasses.replace(JOB, config=dataclasses.replace(JOB.config, out=tmp_path, name="x"))
    assert store.load(moved) == RESULT


def test_result_of_other_code_is_not_used(store, monkeypatch):
    store.save(JOB, RESULT)
    monkeypatch.setattr(jobs_module, "code_digest", lambda: "other")
    assert store.load(JOB) is None
    assert store.has_other(JOB)


@pytest.mark.parametrize("part", ["encoder", "spiking controller"])
def test_weights_named_by_path_count_by_their_content(tmp_path, part):
    path = tmp_path / "mine.npz"
    path.write_bytes(shipped_encoder_path("iiwa14").read_bytes())
    if part == "encoder":
        config = RunConfig(network=NetworkConfig(encoder=str(path)))
    else:
        config = RunConfig(controller="spiking-osc", spiking=SpikingConfig(weights=str(path)))
    job = dataclasses.replace(JOB, config=config)
    before = job.fingerprint
    path.write_bytes(b"other")
    assert job.fingerprint != before


@pytest.mark.parametrize("text", ["", "{", "[]", '{"fingerprint": "x"}'])
def test_damaged_result_counts_as_none(store, text):
    store.save(JOB, RESULT)
    next(store.folder.rglob("session-1.json")).write_text(text)
    assert store.load(JOB) is None


def test_code_digest_covers_all_folders():
    assert len(code_digest()) == 64
    assert code_digest() == code_digest()


def test_folder_belongs_to_one_process_at_a_time(store):
    refused = pytest.raises(RunFolderError, match="another benchmark is at work in")
    with store.lock(), refused, JobStore(store.folder).lock():
        pass
    with store.lock():
        pass


def test_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="choose another one with --out"):
        JobStore(tmp_path / "file" / "bench")
