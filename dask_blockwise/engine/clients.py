"""The client of a run: the one given, the present one, or one of a cluster, open or its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from typing import Any

from distributed import Client, LocalCluster, get_client, get_worker, worker_client

from .cluster import local_cluster, patient_cluster
from .jobs.systems import looked_after
from .open_clusters import forget, only_one
from .worker.batch import beside_batches

__all__ = ["client_for_a_run", "client_when_needed", "in_task", "open_if_needed"]

_logger = logging.getLogger(__name__)

# Seconds that a run's own cluster may take to close.
_CLOSE_SECONDS = 60.0
# Opens, once, the client that runs are to have which are given none.
_wanted: ContextVar[Callable[[], Client | None]] = ContextVar("wanted", default=lambda: None)
# A client in one of these states may yet reach its scheduler.
_LIVES = ("running", "connecting")


def in_task() -> bool:
    """Whether this is a worker's thread, which must ask no other scheduler."""
    try:
        get_worker()
    except ValueError:
        return False
    return True


@contextmanager
def client_when_needed(
    opened: Callable[[], AbstractContextManager[Client | None]],
) -> Iterator[None]:
    """Within the body, runs that are given no client have this one, which the first of them opens.

    So what is refused before anything runs is refused before processes are started, or jobs are
    asked for.

    Parameters
    ----------
    opened : callable
        Gives what opens the client, and closes it after the body.
    """
    with ExitStack() as stack:
        token = _wanted.set(cache(lambda: stack.enter_context(opened())))
        try:
            yield
        finally:
            _wanted.reset(token)


def open_if_needed(client: Client | None) -> None:
    """Open the client of a body before anything is written, so that none is if it can't be had."""
    if client is None:
        _wanted.get()()


@contextmanager
def client_for_a_run(client: Client | None) -> Iterator[Client]:
    """A client through which a run may go, for the body.

    Within a task of a cluster, the task gives its thread free meanwhile: else the run would wait
    for a thread that waits for the run.

    Parameters
    ----------
    client
        The one given, if any.

    Raises
    ------
    TypeError
        If it is no client.
    ValueError
        If it is asynchronous, closed, or its scheduler is gone.
    """
    with _thread_given_free():
        given = client if client is not None else _wanted.get()() or _present()
        if given is None:
            with _client_of_a_cluster() as own, looked_after(own.cluster), patient_cluster(own):
                yield own
            return
        _check(given)
        with looked_after(given.cluster), patient_cluster(given):
            yield given


@contextmanager
def _client_of_a_cluster() -> Iterator[Client]:
    """Of the cluster that a person has opened without a client, or of one of the run's own."""
    with ExitStack() as stack:
        cluster = only_one() or stack.enter_context(_own_cluster())
        yield stack.enter_context(Client(cluster, set_as_default=False))


@contextmanager
def _own_cluster() -> Iterator[LocalCluster]:
    """A cluster on this machine, which a run that is over doesn't wait for without end.

    Dask before 2026.7 may, where a worker is just being started as its cluster closes.
    """
    cluster = local_cluster()
    forget(cluster)
    try:
        yield cluster
    finally:
        try:
            cluster.close(timeout=_CLOSE_SECONDS)
        except TimeoutError:
            _logger.warning(
                "Some worker processes of the run's own cluster don't end by themselves."
            )


def _present() -> Client | None:
    with suppress(ValueError):
        return get_client()
    return None


@contextmanager
def _thread_given_free() -> Iterator[None]:
    if not in_task():
        yield
        return
    with beside_batches(), worker_client():
        yield


def _check(client: Any) -> None:
    if not isinstance(client, Client):
        raise TypeError(
            f"client must be a distributed.Client, got {client!r}: give Client(cluster), "
            "Client('tcp://scheduler:8786') or the like, or None for a cluster on this machine."
        )
    if client.asynchronous:
        raise ValueError(
            f"{client!r} is asynchronous, and a run waits for its blocks: it would wait for an "
            "event loop that waits for it. Make the client with asynchronous=False, as it is "
            "unless told, which serves in a notebook and within an event loop too; or give the "
            "run a thread of its own: await asyncio.to_thread(volume.to_zarr, path, client=client)."
        )
    if client.status not in _LIVES:
        raise ValueError(
            f"{client!r} is {client.status}: its connection to the cluster was closed. Make a new "
            "client, or leave client out for a cluster on this machine."
        )
    try:
        client.nthreads()
    except OSError as error:
        raise ValueError(
            f"The scheduler of {client!r} does not answer: the cluster was closed, or its job or "
            "machine is gone. Start a cluster, and make a new client of it."
        ) from error
