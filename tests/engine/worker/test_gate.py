"""Who is let in together."""

from __future__ import annotations

import random
import threading
import time

import pytest

from dask_blockwise.engine.worker.gate import Gate


@pytest.mark.parametrize("seed", range(3))
def test_nobody_is_inside_with_one_that_must_be_alone(seed: int) -> None:
    gate, lock, inside, seen = Gate(), threading.Lock(), [0, 0], []

    def visit(alone: bool, seconds: float) -> None:
        with gate.passed(alone):
            with lock:
                inside[alone] += 1
                seen.append(tuple(inside))
            time.sleep(seconds)
            with lock:
                inside[alone] -= 1

    chance = random.Random(seed)
    visits = [(chance.random() < 0.3, chance.random() / 200) for _ in range(60)]
    threads = [threading.Thread(target=visit, args=visit_) for visit_ in visits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(seen) == 60
    assert all(alone == 0 or (others, alone) == (0, 1) for others, alone in seen)


def test_others_are_inside_together() -> None:
    gate, both = Gate(), threading.Barrier(2)

    def meet() -> None:
        with gate.passed(alone=False):
            both.wait(timeout=60)

    threads = [threading.Thread(target=meet) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not both.broken


def test_one_that_waits_for_others_holds_up_nobody() -> None:
    gate, loner = Gate(), threading.current_thread()
    entered = threading.Semaphore(0)

    def visit(alone: bool) -> None:
        with gate.passed(alone, lambda thread: thread is loner):
            entered.release()

    threads = [threading.Thread(target=visit, args=(alone,)) for alone in (True, False, True)]
    with gate.passed(alone=True):
        for thread in threads:
            thread.start()
        assert all(entered.acquire(timeout=60) for _ in threads)
    for thread in threads:
        thread.join()
    assert gate.is_empty
