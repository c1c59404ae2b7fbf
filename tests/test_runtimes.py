"""Runtimes: each that is measured gives the probabilities of Keras; the others say why not."""

import json

import numpy as np
import pytest

from ser_core.benchmark import records, runtimes
from ser_core.benchmark.job import Job


@pytest.fixture(scope="module")
def model():
    return runtimes.build("a1")


def test_runtimes_agree_with_keras(model):
    x = np.random.default_rng(1).standard_normal((2, *model.input_shape[1:])).astype(np.float32)
    expected = model.predict(x, verbose=0)
    for name, make in runtimes._runtimes(model, threads=1).items():
        if isinstance(make, str):
            assert "not installed" in make
        else:
            np.testing.assert_allclose(make(2)(x), expected, atol=1e-5, err_msg=name)


def test_a_runtime_that_differs_is_not_measured(model):
    x = np.zeros((1, *model.input_shape[1:]), dtype=np.float32)
    call, reason = runtimes._prepared(lambda batch: lambda x: np.ones((1, 8)), x, np.zeros((1, 8)))
    assert "differ" in reason
    _, reason = runtimes._prepared(lambda batch: lambda x: 1 / 0, x, None)
    assert reason.startswith("ZeroDivisionError")
    _, reason = runtimes._prepared("no such package", x, None)
    assert reason == "no such package"


def test_a_network_gives_a_stage_per_batch(model, monkeypatch):
    monkeypatch.setattr(runtimes, "BATCHES", (1, 9))
    monkeypatch.setattr(runtimes, "build", lambda name: model)
    monkeypatch.setattr(runtimes, "OtherWork", lambda: lambda: None)
    import tensorflow as tf

    for setting in ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads"):
        monkeypatch.setattr(tf.config.threading, setting, lambda threads: None)  # too late in this process
    stages = runtimes.measure_network(Job("networks", "", "demo", "", threads=1, quick=True, network="a1"))
    assert [stage.utterances for stage in stages] == [1, 9]
    assert json.loads(json.dumps([stage.to_json() for stage in stages], allow_nan=False))
    for stage in stages:
        assert stage.timing(records.PEER).status == "measured" and stage.floor.operations > 0
        assert {one.name for one in stage.timings} == set(runtimes._runtimes(model, 1))
    assert stages[0].timing(records.PEER, records.NOW_AND_THEN) and not stages[1].timing(records.PEER, "now and then")


def test_every_network_of_the_zoo_is_named():
    assert {"a1", "cnn_bilstm_attention", "vgg16", "lstm_attention"} <= set(runtimes.network_names())
