"""The metrics, scraped as Prometheus does."""

import asyncio
import shutil
import subprocess
import threading
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from wingbeat.base.errors import ConfigurationError
from wingbeat.contracts.observer import MISSED, Published
from wingbeat_telemetry.prometheus import PrometheusObserver
from wingbeat_telemetry.serve import address_of
from wingbeat_telemetry.settings import PrometheusSettings
from wingbeat_telemetry.tally import Tally


def observer_at(tmp_path, tally=None, **settings):
    return PrometheusObserver(PrometheusSettings(**settings), str(tmp_path), tally or Tally())


def scrape(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def samples(text):
    """What is not zero, without the buckets."""
    return {
        (sample.name.removeprefix("wingbeat_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith(("_bucket", "_created")) and sample.value
    }


def execution(name="e1", workflow="flow", task="one", again=False, phase="SUCCEEDED"):
    def event(at, kind, phase, node="", attempt=0, **more):
        return Published(
            name, 0, at, kind, phase, node, attempt, again=again, **{"task": task if node else workflow, **more}
        )

    return [
        event(1.0, "execution", "RUNNING"),
        event(0.0, "cache", "MISS", "n0", cache="MISS"),
        event(1.0, "attempt", "QUEUED", "n0", 0),
        event(1.5, "attempt", "RUNNING", "n0", 0),
        event(2.0, "attempt", "RETRYABLE_FAILED", "n0", 0, error={"code": "ValueError", "message": "no"}),
        event(3.0, "attempt", "QUEUED", "n0", 1),
        event(3.5, "attempt", "RUNNING", "n0", 1),
        event(5.5, "node", "SUCCEEDED", "n0", 1),
        event(5.5, "node", "RUNNING", "n1", evidence={"items": 2}),
        event(5.6, "node", "SUCCEEDED", "n1.0", cache="HIT"),
        event(5.6, "node", "SUCCEEDED", "n1.1", cache="HIT"),
        event(5.7, "node", "SUCCEEDED", "n1"),
        event(6.0, "execution", phase),
    ]


async def test_what_a_scrape_says(tmp_path):
    tally = Tally()
    tally.made, tally.sent, tally.dropped = 7, 4, 1
    observer = observer_at(tmp_path, tally, address="127.0.0.1:0")
    await observer.start()
    url = (tmp_path / "telemetry" / "metrics.url").read_text().strip()
    events = [*execution(), *execution("e2")[:4], Published("", -1, 0.0, MISSED, "", evidence={"events": 5})]
    await observer.observe(events)
    text = scrape(url)
    found = samples(text)
    assert found == {
        ("executions_started_total", "flow"): 2,
        ("executions_ended_total", "SUCCEEDED", "flow"): 1,
        ("executions_running", "flow"): 1,
        ("execution_seconds_count", "SUCCEEDED", "flow"): 1,
        ("execution_seconds_sum", "SUCCEEDED", "flow"): 5.0,
        ("nodes_ended_total", "SUCCEEDED", "one"): 2,
        ("node_seconds_count", "SUCCEEDED", "one"): 2,
        ("node_seconds_sum", "SUCCEEDED", "one"): pytest.approx(4.7),
        ("attempts_running", "one"): 1,
        ("attempt_seconds_count", "RETRYABLE_FAILED", "one"): 1,
        ("attempt_seconds_sum", "RETRYABLE_FAILED", "one"): 0.5,
        ("attempt_seconds_count", "SUCCEEDED", "one"): 1,
        ("attempt_seconds_sum", "SUCCEEDED", "one"): 2.0,
        ("attempt_queue_seconds_count", "one"): 3,
        ("attempt_queue_seconds_sum", "one"): 1.5,
        ("retries_total", "USER", "one"): 1,
        ("cache_total", "MISS", "one"): 2,
        ("cache_total", "HIT", "one"): 2,
        ("map_items_total", "one"): 2,
        ("map_items_ended_total", "SUCCEEDED", "one"): 2,
        ("events_missed_total",): 5,
        ("spans_total", "sent"): 4,
        ("spans_total", "dropped"): 1,
        ("spans_waiting",): 2,
    }
    await observer.close()
    assert not (tmp_path / "telemetry" / "metrics.url").exists()
    with pytest.raises(OSError, match="refused"):
        scrape(url)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
async def test_promtool_finds_nothing_to_say(tmp_path):
    observer = observer_at(tmp_path, textfile="all.prom")
    await observer.start()
    await observer.observe(execution())
    await observer.close()
    text = (tmp_path / "all.prom").read_text()
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_the_last_spans_are_in_what_is_written_last(tmp_path):
    tally = Tally()
    tally.open = True
    observer = observer_at(tmp_path, tally, textfile="all.prom")
    await observer.start()
    closing = asyncio.create_task(observer.close())
    await asyncio.sleep(0.05)
    tally.made = 7
    tally.open = False  # as at the end of the observer of traces
    await closing
    assert "wingbeat_spans_waiting 7.0" in (tmp_path / "all.prom").read_text()


async def test_what_was_before_is_under_way_but_counts_no_more(tmp_path):
    observer = observer_at(tmp_path, textfile="all.prom")
    await observer.start()
    await observer.observe(execution("e1", again=True)[:7])
    await observer.observe(execution("e1")[7:])
    await observer.close()
    found = samples((tmp_path / "all.prom").read_text())
    assert ("executions_started_total", "flow") not in found
    assert ("retries_total", "USER", "one") not in found
    assert ("attempt_queue_seconds_count", "one") not in found
    assert found["executions_ended_total", "SUCCEEDED", "flow"] == 1
    assert found["execution_seconds_sum", "SUCCEEDED", "flow"] == 5.0
    assert found["attempt_seconds_sum", "SUCCEEDED", "one"] == 2.0
    assert {key: value for key, value in found.items() if "running" in key[0]} == {}


async def test_names_are_bounded_and_no_id_is_a_label(tmp_path):
    observer = observer_at(tmp_path, textfile="all.prom", names_max=3)
    await observer.start()
    for number in range(10_000):
        await observer.observe(execution(f"id-{number}", f"flow{number % 50}", f"task{number % 70}"))
    await observer.close()
    text = (tmp_path / "all.prom").read_text()
    found = samples(text)
    assert {key[1]: value for key, value in found.items() if key[0] == "executions_started_total"} == {
        "flow0": 200, "flow1": 200, "flow2": 200, "other": 9400,
    }  # fmt: skip
    assert {key[1] for key in found if key[0] == "retries_total"} == {"USER"}
    assert {key[2] for key in found if key[0] == "retries_total"} == {"task0", "task1", "task2", "other"}
    assert "id-" not in text
    assert len(text.splitlines()) < 1000
    assert (len(observer._tracker._executions), observer._tracker._nodes) == (0, 0)


async def test_an_address_that_is_taken_is_named(tmp_path):
    first = observer_at(tmp_path, address="127.0.0.1:0")
    await first.start()
    port = first.url.rpartition(":")[2].partition("/")[0]
    second = observer_at(tmp_path / "home", address=f"127.0.0.1:{port}")
    with pytest.raises(
        ConfigurationError, match=rf"127\.0\.0\.1:{port} \(prometheus\.address\): somebody else serves there"
    ):
        await second.start()
    await second.close()
    assert "executions_running" in scrape(first.url)
    await first.close()
    again = observer_at(tmp_path, address=f"127.0.0.1:{port}")
    await again.start()  # whoever comes after it may have the address
    await again.close()


@pytest.mark.parametrize(
    ("text", "address"),
    [(":9464", ("127.0.0.1", 9464)), ("0.0.0.0:80", ("0.0.0.0", 80)), ("[::1]:0", ("::1", 0)), ("host:1", ("host", 1))],
)
def test_addresses(text, address):
    assert address_of(text) == address


@pytest.mark.parametrize("text", ["9464", "host", "host:x", "host:70000", "host:-1"])
def test_what_is_no_address_is_named(text):
    with pytest.raises(ConfigurationError, match=r"prometheus\.address"):
        address_of(text)
    with pytest.raises(ConfigurationError, match=r"prometheus\.address"):
        observer_at("nowhere", address=text)  # before the kernel begins


async def test_the_file_is_whole_whenever_it_is_read(tmp_path):
    observer = observer_at(tmp_path, textfile="all.prom", textfile_s=0.001)
    await observer.start()
    file, torn, ending = tmp_path / "all.prom", [], threading.Event()

    def reading():
        while not ending.is_set():
            if "wingbeat_trace_events_missed_total" not in (text := file.read_text()):
                torn.append(text)

    reader = threading.Thread(target=reading)
    reader.start()
    for number in range(500):
        await observer.observe(execution(f"e{number}", f"flow{number}"))
    await observer.close()
    ending.set()
    reader.join()
    assert torn == []
    assert sum(value for key, value in samples(file.read_text()).items() if key[0] == "executions_started_total") == 500
    assert [path.name for path in tmp_path.iterdir()] == ["all.prom"]


async def test_a_file_that_cannot_be_written_is_named_at_the_start_and_told_once_later(tmp_path, caplog):
    with pytest.raises(ConfigurationError, match=r"no/x\.prom \(prometheus\.textfile\)"):
        await observer_at(tmp_path, textfile="no/x.prom", address=":0").start()
    folder = Path(tmp_path, "there")
    folder.mkdir()
    observer = observer_at(tmp_path, textfile="there/x.prom", textfile_s=0.001)
    await observer.start()
    folder.rename(tmp_path / "elsewhere")  # in one step: it is written into meanwhile
    for _ in range(1000):
        if caplog.records:
            break
        threading.Event().wait(0.01)
    await observer.close()
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        f"The metrics cannot be written to {folder / 'x.prom'}"
    ]
