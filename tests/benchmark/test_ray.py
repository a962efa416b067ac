"""The same runs on a cluster of two nodes, one of which dies."""

import threading
import time

import pytest

ray = pytest.importorskip("ray")
cluster_utils = pytest.importorskip("ray.cluster_utils")

from flawspot.benchmark.engines.interrupts import Interrupts  # noqa: E402
from flawspot.benchmark.engines.local import run_local  # noqa: E402
from flawspot.benchmark.engines.ray_engine import run_ray  # noqa: E402
from flawspot.benchmark.record import DONE, FAILED  # noqa: E402
from flawspot.benchmark.store import Store, StoreError  # noqa: E402
from flawspot.errors import ConfigurationError  # noqa: E402

SMALL = {"object_store_memory": 80 << 20, "memory": 2 << 30}


@pytest.fixture
def cluster():
    """A head without a core, so that it does not work, and two nodes of one core."""
    made = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **SMALL})
    made.workers = [made.add_node(num_cpus=1, **SMALL) for _ in range(2)]
    made.wait_for_nodes()
    ray.init(address=made.address, log_to_driver=False, logging_level="error")
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture
def work(fake_work):
    """Fake work that is sent to the nodes as it is, for they cannot import it."""
    ray.cloudpickle.register_pickle_by_value(fake_work)
    yield fake_work.work
    ray.cloudpickle.unregister_pickle_by_value(fake_work)


@pytest.mark.slow
def test_a_node_may_die_and_the_results_are_those_of_one_machine(cluster, task, board, work, tmp_path, told):
    tasks = [task("sleep 0.7", seed) for seed in range(10)] + [task("killed", 10), task("memory", 11)]

    def kill_a_node():
        while len(list((tmp_path / "runs.files" / "log").glob("*.begin"))) < 4:
            time.sleep(0.1)
        cluster.remove_node(cluster.workers[0], allow_graceful=False)

    killer = threading.Thread(target=kill_a_node)
    killer.start()
    run_ray(board(tasks), Interrupts(), work=work)
    killer.join()
    until = time.monotonic() + 60  # the cluster may hear of a death after the last run is done
    while sum(node["Alive"] for node in ray.nodes()) != 2:
        assert time.monotonic() < until, "the node is still alive"
        time.sleep(0.1)
    with Store(tmp_path / "runs.sqlite") as store:
        records = {record.cell.seed: record for record in store.records()}
        assert store.claimed() == set()
    assert {seed: record.status for seed, record in records.items()} == {
        **dict.fromkeys(range(10), DONE),
        10: FAILED,
        11: FAILED,
    }
    assert "2 times" in records[10].error
    assert "out of memory" in records[11].error
    assert told.notes  # of the node, and of the killed process

    (tmp_path / "runs.sqlite").rename(tmp_path / "of ray.sqlite")
    run_local(board(tasks[:3]), Interrupts(), work=work, workers=1, threads=1)
    with Store(tmp_path / "runs.sqlite") as store:
        for record in store.records():
            assert record.metrics == records[record.cell.seed].metrics


@pytest.mark.slow
def test_an_interruption_gives_the_runs_back(cluster, task, board, work, tmp_path):
    with Interrupts() as interrupts:
        threading.Timer(3, lambda: interrupts._note(2, None)).start()
        run_ray(board([task("sleep 60", seed) for seed in range(3)]), interrupts, work=work, grace=0.5)
    with Store(tmp_path / "runs.sqlite") as store:
        assert store.claimed() == set()
        assert store.records() == []


@pytest.mark.slow
def test_a_store_that_cannot_be_written_does_not_keep_the_cluster_up(task, board, work, monkeypatch):
    """Not even the runs can be given back then."""

    def full(*args):
        raise StoreError("the disk is full")

    monkeypatch.setattr(Store, "release", full)
    with Interrupts() as interrupts:
        threading.Timer(3, lambda: interrupts._note(2, None)).start()
        run_ray(board([task("sleep 60", seed) for seed in range(2)]), interrupts, work=work, grace=0.5)
    assert not ray.is_initialized()
    monkeypatch.undo()


@pytest.mark.slow
def test_a_full_disk_ends_the_work_and_leaves_its_runs_open(task, board, work, tmp_path):
    tasks = [task("full disk", 0), *(task(seed=seed) for seed in range(1, 4))]
    with pytest.raises(StoreError, match=r"the disk is full .*free some space and start the same command again"):
        run_ray(board(tasks), Interrupts(), work=work, workers=1)
    with Store(tmp_path / "runs.sqlite") as store:
        assert store.claimed() == set()
        assert store.records() == []


def test_a_cluster_that_is_not_there_is_told(task, board, work):
    with pytest.raises(ConfigurationError, match="start one with `ray start --head`"):
        run_ray(board([task()]), Interrupts(), work=work, address="127.0.0.1:1")
