"""Makes a run known to a cluster, for as long as it lasts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from distributed import Client

from ..worker.batch import check_code, forget_run
from ..worker.own_code import OtherCodeError, OwnCode
from .scheduler import BlockTaskPlugin, silent_workers, withdraw
from .worker import RunPlugin, set_up

__all__ = ["known_to_workers"]

# Seconds that workers get to hear that a run is over.
_STOP_SECONDS = 5.0
# Between looks whether those that don't answer stand still.
_LOOK_SECONDS = 1.0


@contextmanager
def known_to_workers(
    client: Client, run_id: str, blobs: Sequence[bytes], code: OwnCode
) -> Iterator[None]:
    """Within the body, a run is known to the scheduler and to every worker; after it, to none.

    Parameters
    ----------
    client
        Of the cluster.
    run_id
        Name of the run.
    blobs
        The ``Work`` of each task, pickled.
    code
        What they find by name.

    Raises
    ------
    OtherCodeError
        If a worker has, and imports, other code.
    """
    worker_plugin, scheduler_plugin = (
        RunPlugin(run_id, blobs, code),
        BlockTaskPlugin(run_id, client.id),
    )

    def forget() -> None:
        client.run(forget_run, run_id, on_error="ignore")
        client.run_on_scheduler(withdraw, scheduler_plugin.name)
        client.unregister_worker_plugin(worker_plugin.name)

    try:
        client.register_plugin(scheduler_plugin)
        _register(client, worker_plugin)
        if code.standing:
            _check_code(client, run_id)
        yield
    finally:
        _try_for(_STOP_SECONDS, forget)
        # On this machine, even if no worker answered.
        forget_run(run_id)


def _register(client: Client, plugin: RunPlugin) -> None:
    """Workers that stand still are not waited for: they hear of it if they ever go on."""
    outcome: list[Exception | None] = []

    def register() -> None:
        try:
            client.register_plugin(plugin)
        except Exception as error:
            outcome.append(error)
        else:
            outcome.append(None)

    thread = threading.Thread(target=register, daemon=True)
    thread.start()
    thread.join(_LOOK_SECONDS)
    while thread.is_alive() and not client.run_on_scheduler(silent_workers):
        thread.join(_LOOK_SECONDS)
    error = outcome[0] if outcome else None
    if isinstance(error, OSError):
        # A worker died meanwhile. Those to come will know of the run; these may not have heard yet.
        client.run(set_up, plugin, on_error="ignore", workers=_heard_of(client))
    elif error is not None:
        raise error


def _check_code(client: Client, run_id: str) -> None:
    """Before any block; a worker that joins later checks as it begins."""
    workers = _heard_of(client)
    for outcome in client.run(check_code, run_id, on_error="return", workers=workers).values():
        if isinstance(outcome, OtherCodeError):
            raise outcome


def _heard_of(client: Client) -> list[str]:
    """Addresses of the workers that don't stand still."""
    silent = client.run_on_scheduler(silent_workers)
    return [address for address in client.nthreads() if address not in silent]


def _try_for(seconds: float, action: Callable[[], Any]) -> None:
    """Do something that a busy worker may hold up, or a lost cluster make impossible."""

    def attempt() -> None:
        with suppress(Exception):
            action()

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(seconds)
