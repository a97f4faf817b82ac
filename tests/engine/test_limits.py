"""Numbers that make no sense, wherever a person may give them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from recording import line

from dask_blockwise.engine.any_cluster import cluster
from dask_blockwise.engine.cluster import create_compute_context, jobqueue_cluster, local_cluster
from dask_blockwise.engine.limits import check_limits

WHOLE = "must be a whole number, got"
SECONDS = "timeout must be a positive number of seconds, got"


@pytest.mark.parametrize(
    ("limit", "error", "message"),
    [
        ({"num_workers": 0}, ValueError, "num_workers must be at least 1, got 0; None stands"),
        ({"num_workers": -1}, ValueError, "num_workers must be at least 1, got -1"),
        ({"num_workers": True}, TypeError, f"num_workers {WHOLE} True; None stands for as many"),
        ({"num_workers": 1.5}, TypeError, f"num_workers {WHOLE} 1.5"),
        ({"num_workers": "4"}, TypeError, f"num_workers {WHOLE} '4'"),
        ({"max_retries": -1}, ValueError, "max_retries must be 0 or more, got -1"),
        ({"max_retries": 1.5}, TypeError, f"max_retries {WHOLE} 1.5"),
        ({"max_retries": "2"}, TypeError, f"max_retries {WHOLE} '2'"),
        ({"max_retries": None}, TypeError, f"max_retries {WHOLE} None"),
        ({"timeout": 0}, ValueError, f"{SECONDS} 0; None sets no limit"),
        ({"timeout": -3}, ValueError, f"{SECONDS} -3"),
        ({"timeout": "5"}, TypeError, f"{SECONDS} '5'"),
        ({"timeout": True}, TypeError, f"{SECONDS} True"),
        ({"timeout": float("nan")}, ValueError, f"{SECONDS} nan"),
        ({"timeout": float("inf")}, ValueError, f"{SECONDS} inf; None sets no limit"),
        ({"timeout": 1e12}, ValueError, f"{SECONDS} 1000000000000.0"),
    ],
    ids=str,
)
def test_a_task_refuses(limit: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        line(4, print, **limit)


def test_numbers_of_numpy_serve() -> None:
    check_limits(np.int64(4), np.uint8(0), np.float32(0.5))
    check_limits(None, 2, None)
    check_limits(1, 0, 5)


MEMORY = 'must be text such as "4GB"; .*Got'


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_workers": 0}, ValueError, "n_workers must be at least 1, got 0; None stands for one"),
        ({"n_workers": -1}, ValueError, "n_workers must be at least 1, got -1"),
        ({"n_workers": 2.0}, TypeError, f"n_workers {WHOLE} 2.0"),
        ({"n_workers": "2"}, TypeError, f"n_workers {WHOLE} '2'"),
        ({"threads_per_worker": 0}, ValueError, "threads_per_worker must be at least 1, got 0"),
        ({"memory_limit": 4}, ValueError, f"memory_limit {MEMORY} 4, which is 4 bytes"),
        ({"memory_limit": "lots"}, ValueError, f"memory_limit {MEMORY} 'lots', which is no size"),
        ({"memory_limit": "-4GB"}, ValueError, f"memory_limit {MEMORY} '-4GB'"),
        ({"memory_limit": 4.5}, ValueError, f"memory_limit {MEMORY} 4.5, which is 4 bytes"),
        ({"memory_limit": float("nan")}, ValueError, f"memory_limit {MEMORY} nan, which is no"),
        ({"memory_limit": [4]}, TypeError, rf"memory_limit {MEMORY} \[4\]"),
    ],
    ids=str,
)
def test_a_local_cluster_refuses(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        local_cluster(**options)
    with pytest.raises(error, match=message):
        create_compute_context({}, **{"n_workers": 1, **options})


@pytest.mark.parametrize("memory", [None, 0, "auto", 0.25, 1_000_000_000, "1GB"])
def test_what_a_local_cluster_takes_for_a_memory(memory: Any) -> None:
    with local_cluster(1, memory_limit=memory, processes=False) as cluster:
        assert len(cluster.workers) == 1


def never(**job: Any) -> Any:
    raise AssertionError("was asked for a job")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_workers": -1}, ValueError, "n_workers must be 0 or more, got -1"),
        ({"n_workers": None}, TypeError, f"n_workers {WHOLE} None"),
        ({"cores": 0}, ValueError, "cores must be at least 1, got 0"),
        ({"cores": "4"}, TypeError, f"cores {WHOLE} '4'"),
        ({"processes": 0}, ValueError, "processes must be at least 1, got 0; None stands for"),
        ({"processes": 1.5}, TypeError, f"processes {WHOLE} 1.5"),
        ({"cores": 2, "processes": 4}, ValueError, "of 2 cores can't have 4 processes"),
        ({"memory": 16}, ValueError, f"memory {MEMORY} 16, which is 16 bytes"),
        ({"memory": "16"}, ValueError, f"memory {MEMORY} '16', which is 16 bytes"),
        ({"memory": "16 gigs"}, ValueError, f"memory {MEMORY} '16 gigs', which is no size"),
        ({"walltime": 24}, TypeError, "walltime must be text.*got 24.*24:00:00"),
    ],
    ids=str,
)
def test_a_batch_system_is_not_asked(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        jobqueue_cluster(never, **{"n_workers": 1, **options})


def test_a_cluster_of_any_system_names_what_it_was_given() -> None:
    with pytest.raises(ValueError, match=f"^memory {MEMORY} '16', which is 16 bytes"):
        cluster("local", workers=1, memory="16")
    with pytest.raises(ValueError, match=r"^memory .* '0', which is 0 bytes"):
        cluster("slurm", workers=1, memory=0)
    with pytest.raises(TypeError, match=r"walltime must be text.*got 24"):
        cluster("slurm", workers=1, memory="1GB", walltime=24)
    with cluster("local", workers=1, memory=0, processes=False) as made:
        assert not made.workers[0].memory_manager.memory_limit
