"""TensorFlow tasks in real workflows, in one process and in several, each attempt in processes of its own."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.tensorflow, pytest.mark.timeout(1200)]

FLOW = """
    import json
    import os
    import sys
    import time

    import keras
    import numpy as np
    import tensorflow as tf

    import wingbeat_tensorflow
    from wingbeat import Resources, current, run, task, workflow
    from wingbeat.contracts.gang import member_of
    from wingbeat_tensorflow import TensorFlow, TFRecord, callbacks, records, write_records


    def mark(what):
        fd = os.open("MARKS", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, f"{what}\\n".encode())
        os.close(fd)


    class Told(keras.callbacks.Callback):
        def __init__(self, pause):
            super().__init__()
            self.pause = pause

        def on_epoch_end(self, epoch, logs=None):
            member = member_of(os.environ)
            who = "alone" if member is None else member.name
            mark(f"{os.environ['WINGBEAT_ATTEMPT']} {who} {os.getpid()} {epoch} {logs['loss']:.6f}")
            time.sleep(self.pause)


    def fit(strategy, epochs, pause):
        rows = np.random.default_rng(0).random((256, 4)).astype("float32")
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
        data = tf.data.Dataset.from_tensor_slices((rows, rows.sum(1, keepdims=True))).batch(32).with_options(options)
        with strategy.scope():
            keras.utils.set_random_seed(1)
            model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1)])
            model.compile("adam", "mse")
        model.fit(data, epochs=epochs, validation_data=data, verbose=0, callbacks=[*callbacks(), Told(pause)])
        return model


    @task(task_config=TensorFlow(), resources=Resources(cpu=1))
    def alone(strategy: tf.distribute.Strategy, epochs: int, pause: float) -> keras.Model:
        assert tf.config.threading.get_intra_op_parallelism_threads() == 1
        assert "TF_CONFIG" not in os.environ
        return fit(strategy, epochs, pause)


    @task(task_config=TensorFlow(workers=2), resources=Resources(cpu=1))
    def together(strategy: tf.distribute.Strategy, epochs: int, pause: float) -> keras.Model:
        assert strategy.num_replicas_in_sync == 2
        assert wingbeat_tensorflow.strategy() is strategy
        assert json.loads(os.environ["TF_CONFIG"])["task"]["index"] == member_of(os.environ).index
        return fit(strategy, epochs, pause)


    @task(task_config=TensorFlow())
    def weigh(model: keras.Model) -> float:
        assert model.optimizer.iterations.numpy() > 0
        return float(sum(np.abs(weight).sum() for weight in model.get_weights()))


    @workflow
    def one(epochs: int = 4, pause: float = 0.0) -> float:
        return weigh(model=alone(epochs=epochs, pause=pause))


    @workflow
    def two(epochs: int = 4, pause: float = 0.0) -> float:
        return weigh(model=together(epochs=epochs, pause=pause))


    @task(task_config=TensorFlow(workers=1, chief=1, ps=1))
    def served(strategy: tf.distribute.ParameterServerStrategy, n: int) -> int:
        coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
        with strategy.scope():
            total = tf.Variable(0, dtype=tf.int64)

        @tf.function
        def add(i):
            total.assign_add(i)
            return i

        for i in range(n):
            coordinator.schedule(add, args=(tf.constant(i, tf.int64),))
        coordinator.join()
        mark(member_of(os.environ).name)
        return int(total.numpy())


    @workflow
    def parameters(n: int = 5) -> int:
        return served(n=n)


    @task(task_config=TensorFlow(workers=2, evaluator=1))
    def watched(strategy: tf.distribute.Strategy, n: int) -> float:
        member, shared = member_of(os.environ), current().checkpoint
        with strategy.scope():
            weight = tf.Variable(0.0)
        if member.role == "evaluator":
            assert strategy.num_replicas_in_sync == 1
            while True:  # until it is stopped
                if (saved := shared.load("weight")) is not None:
                    weight.assign(float(saved))
                    shared.save("score", str(10 * float(weight.numpy())).encode())
                time.sleep(0.02)
        for _ in range(n):
            strategy.run(lambda: weight.assign_add(1.0))
        if member.index == 0:
            shared.save("weight", str(float(weight.numpy())).encode())
        while (score := shared.load("score")) is None or float(score) != 10 * n:
            time.sleep(0.02)
        mark(member.name)
        return float(score)


    @workflow
    def evaluated(n: int = 3) -> float:
        return watched(n=n)


    @task(task_config=TensorFlow())
    def write(n: int) -> TFRecord:
        return write_records("rows.tfrecord", [str(i).encode() for i in range(n)])


    @task(task_config=TensorFlow())
    def read(file: TFRecord) -> int:
        return sum(int(row) for row in records(file).as_numpy_iterator())


    @workflow
    def rows(n: int = 5) -> int:
        return read(file=write(n=n))


    if __name__ == "__main__":
        print("answer", json.dumps(run(globals()[sys.argv[1]], home=sys.argv[2], **json.loads(sys.argv[3]))))
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "flow.py").write_text(textwrap.dedent(FLOW).replace("MARKS", str(tmp_path / "marks")))
    return tmp_path


def begin(place, flow, **inputs):
    command = [sys.executable, "flow.py", flow, str(place / "home"), json.dumps(inputs)]
    return subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(running):
    out, err = running.communicate()
    assert running.returncode == 0, out + err
    return json.loads(out.partition("answer ")[2])


def marks(place):
    path = place / "marks"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def attempts(place):
    return sorted(path for path in (place / "home" / "attempts").glob("*/*.*") if path.is_dir())


def test_two_workers_learn_what_one_learns_and_leave_curves_and_logs(place):
    expected = finish(begin(place, "one"))
    assert finish(begin(place, "two")) == pytest.approx(expected, rel=1e-4)
    losses = {}
    for _, who, _, epoch, loss in marks(place):
        losses.setdefault(who, {})[int(epoch)] = float(loss)
    assert losses["worker-0"] == losses["worker-1"] == pytest.approx(losses["alone"], rel=1e-4)
    assert sorted(losses["alone"]) == [0, 1, 2, 3]
    pages = list((place / "home" / "attempts").glob("*/*/deck.html"))
    assert len(pages) == 2, "of the attempts that train, and of the first worker alone"
    for page in pages:
        assert "Learning curves" in page.read_text()
        assert page.read_text().count("<polyline") == 2
    (gang,) = [page.parent for page in pages if (page.parent / "members").is_dir()]
    for folder in (gang, gang / "members" / "worker-1"):
        assert list(folder.glob("tensorboard/train/events.out.tfevents.*")), folder


def test_a_worker_killed_in_mid_training_brings_a_new_attempt_of_all_that_goes_on_at_its_epoch(place):
    epochs = 8
    running = begin(place, "two", epochs=epochs, pause=0.3)
    while sum(1 for mark in marks(place) if mark[1] == "worker-1") < 3:
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    victim = next(int(pid) for _, who, pid, *_ in marks(place) if who == "worker-1")
    others = {int(pid) for _, _, pid, *_ in marks(place)}
    os.kill(victim, signal.SIGKILL)
    answer = finish(running)
    seen = marks(place)
    assert {attempt for attempt, *_ in seen} == {"0", "1"}
    assert others.isdisjoint({int(pid) for attempt, _, pid, *_ in seen if attempt == "1"})
    for who in ("worker-0", "worker-1"):
        before, after = ([int(e) for a, w, _, e, _ in seen if (a, w) == (n, who)] for n in ("0", "1"))
        assert after == list(range(after[0], epochs)), "every epoch to the end"
        assert 2 <= after[0] <= before[-1] + 1, "it went on where it was"
    for attempt, _, pid, *_ in seen:
        if attempt == "0":
            assert not Path(f"/proc/{pid}").exists()
    assert answer == pytest.approx(finish(begin(place, "one", epochs=epochs)), rel=1e-4)
    second = next(path for path in attempts(place) if path.name.endswith(".1"))
    assert f">{epochs}</text>" in (second / "deck.html").read_text(), "the curves begin with the first attempt"


def test_with_parameter_servers_the_chief_alone_runs_the_function(place):
    assert finish(begin(place, "parameters", n=5)) == 10
    assert marks(place) == [["chief-0"]]


def test_an_evaluator_works_beside_the_training_and_is_stopped_at_its_end(place):
    assert finish(begin(place, "evaluated", n=3)) == 30.0
    assert sorted(marks(place)) == [["worker-0"], ["worker-1"]]
    (attempt,) = attempts(place)
    assert (attempt / "members" / "evaluator-0").is_dir()


def test_records_go_from_task_to_task(place):
    assert finish(begin(place, "rows", n=5)) == 10
