"""Models and records as values, with the real library; and what is said where it is not installed."""

import json
import sys
import time
import zipfile

import pytest

from wingbeat.base.errors import ConfigurationError
from wingbeat_tensorflow.models import KerasHandler, without_traces


def write(path, date):
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(zipfile.ZipInfo("config.json", date), "{}")
        made.writestr(zipfile.ZipInfo("metadata.json", date), f'{{"keras_version": "3", "date_saved": "{date}"}}')


def test_files_that_differ_in_times_only_become_equal(tmp_path):
    for name, date in (("a", (2020, 1, 1, 0, 0, 0)), ("b", (2024, 5, 6, 7, 8, 10))):
        write(tmp_path / name, date)
        without_traces(str(tmp_path / name), str(tmp_path / f"{name}.out"))
    assert (tmp_path / "a.out").read_bytes() == (tmp_path / "b.out").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.out") as made:
        assert made.read("metadata.json") == b'{"keras_version": "3"}'


def test_addresses_become_numbers_by_their_order(tmp_path):
    """The first is a layer that two use, the second a policy, whose sharing Keras loses when it reads."""
    for name, address in (("a", 140_629_732_359_376), ("b", 99)):
        shared = {"class_name": "Dense", "shared_object_id": address}
        policy = {"class_name": "DTypePolicy", "config": {"name": "float32"}, "shared_object_id": address + 1}
        with zipfile.ZipFile(tmp_path / name, "w") as made:
            made.writestr("config.json", json.dumps({"layers": [shared, policy, shared]}))
        without_traces(str(tmp_path / name), str(tmp_path / f"{name}.out"))
    assert (tmp_path / "a.out").read_bytes() == (tmp_path / "b.out").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.out") as made:
        first, policy, again = json.loads(made.read("config.json"))["layers"]
    assert first == again == {"class_name": "Dense", "shared_object_id": 0}
    assert policy == {"class_name": "DTypePolicy", "config": {"name": "float32"}}


def test_a_missing_keras_is_told_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(ConfigurationError, match="Keras is not in the environment"):
        KerasHandler().read(str(tmp_path / "x"), None)


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("default")  # of the libraries, which warn of each other
@pytest.mark.timeout(600)
def test_a_model_is_the_same_bytes_whenever_it_is_saved_and_predicts_the_same_when_read(tmp_path):
    import keras
    import numpy as np

    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "relu"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).random((32, 4))
    model.fit(x, x.sum(1), verbose=0)
    handler = KerasHandler()
    handler.write(model, str(tmp_path / "a"))
    time.sleep(2.1)  # times in archives have two seconds
    handler.write(model, str(tmp_path / "b"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    again = handler.read(str(tmp_path / "a"), keras.Model)
    assert np.array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert again.optimizer.iterations.numpy() == model.optimizer.iterations.numpy()


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("default")  # of the libraries, which warn of each other
@pytest.mark.timeout(600)
@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_records_come_back_as_a_dataset(tmp_path, compression):
    import tensorflow as tf

    from wingbeat_tensorflow import records, write_records

    value = tf.train.Feature(int64_list=tf.train.Int64List(value=[5]))
    example = tf.train.Example(features=tf.train.Features(feature={"n": value}))
    rows = [b"one", example, b""]
    one = write_records(tmp_path / "a.tfrecord", rows, compression=compression)
    two = write_records(tmp_path / "b.tfrecord", tf.data.Dataset.from_tensors(b"two"), compression=compression)
    found = list(records(one, two, compression=compression).as_numpy_iterator())
    assert found == [b"one", example.SerializeToString(), b"", b"two"]
