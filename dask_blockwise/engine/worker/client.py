"""Worker loops as daisy has them: a function that takes no block and asks a Client for them.

The loop runs in a thread of its own beside the task that hands it blocks, so whatever it sets up
before its first block is set up once a process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from inspect import Parameter, signature
from queue import SimpleQueue
from typing import Any
from urllib.parse import quote, unquote

from ...geometry.blocks import Block, BlockStatus
from ...storage.traffic import Traffic, count_here, counted_here
from .failure import FailedElsewhere, Failure, failure_of
from .joining import join_cluster

__all__ = ["Client", "Context"]


class Context(dict[str, str]):
    """Where a worker finds its run: names and values that fit one environment variable.

    Examples
    --------
    >>> context = Context(scheduler="tcp://10.0.0.1:8786", task_id="smooth")
    >>> str(context)
    'scheduler=tcp%3A//10.0.0.1%3A8786:task_id=smooth'
    >>> Context.from_string(str(context)) == context
    True
    """

    ENV_VARIABLE = "DASK_BLOCKWISE_CONTEXT"

    def __str__(self) -> str:
        return ":".join(f"{name}={quote(value)}" for name, value in self.items())

    def to_env(self) -> str:
        """The string form, under daisy's name."""
        return str(self)

    @classmethod
    def from_string(cls, text: str) -> Context:
        """Read the string form.

        Raises
        ------
        ValueError
            If it lacks the scheduler or the task.
        """
        pairs = (item.partition("=") for item in text.split(":"))
        context = cls({name: unquote(value) for name, _, value in pairs})
        if not {"scheduler", "task_id"} <= context.keys():
            raise ValueError(
                f"{text!r} says of no run: give str(context), with the context that "
                "init_callback_fn was given."
            )
        return context

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Context:
        """Read the string form from the environment variable ``DASK_BLOCKWISE_CONTEXT``.

        Raises
        ------
        KeyError
            If the variable is not set.
        ValueError
            If it lacks the scheduler or the task.
        """
        if cls.ENV_VARIABLE not in environment:
            raise KeyError(
                f"{cls.ENV_VARIABLE} is not set, so this process does not know which run to work "
                "for. Start it from a worker file, or set the variable to str(context), with the "
                "context that init_callback_fn was given."
            )
        return cls.from_string(environment[cls.ENV_VARIABLE])


class Handover:
    """Hands one block at a time to a worker loop, and its outcome back."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._blocks: SimpleQueue[tuple[Block | None, Traffic | None]] = SimpleQueue()
        self._outcomes: SimpleQueue[_Outcome] = SimpleQueue()
        self._held: Block | None = None

    def __call__(self, block: Block) -> None:
        self.process(block).raise_error()

    def process(self, block: Block) -> _Outcome:
        """Have the loop process a block, and wait for it."""
        with self._turn:
            self._blocks.put((block, counted_here()))
            return self._outcomes.get()

    def acquire(self) -> Block | None:
        """The next block, or None when the run is over; waits for it."""
        self._held, traffic = self._blocks.get()
        # What the loop's thread reads and writes, it does for the block.
        count_here(traffic)
        return self._held

    def release(self, failure: Failure | None) -> None:
        """Tell what became of the block that was acquired last."""
        self._held = None
        self._outcomes.put(_Outcome(failure))

    def end(self, failure: Failure) -> None:
        """The loop is over; a block that it still holds has failed, one it never took has not."""
        self._outcomes.put(_Outcome(failure, taken=self._held is not None, last=True))

    def close(self) -> None:
        """Let the loop end."""
        self._blocks.put((None, None))


@dataclass(frozen=True)
class _Outcome:
    failure: Failure | None
    # Whether the loop took the block at all, rather than having ended before.
    taken: bool = True
    # Whether the loop is over, so that another block would wait for ever.
    last: bool = False

    def raise_error(self) -> None:
        if self.failure is not None:
            raise FailedElsewhere(self.failure)


_ENDED = Failure("The worker function returned although there were blocks left.")


class BlockLoops:
    """A function of a block, made of a worker function that takes none and asks a Client.

    The worker function runs once a thread, until the run is over or it fails. It is given the
    context where it has a parameter of that name.
    """

    def __init__(self, function: Callable[..., Any], context: Context) -> None:
        named = "context" in signature(function).parameters
        self._function = partial(function, context=context) if named else function
        self._context = context
        self._mine = threading.local()
        self._started: list[Handover] = []

    def __call__(self, block: Block) -> None:
        loop: Handover | None = getattr(self._mine, "loop", None)
        outcome = loop.process(block) if loop else None
        if outcome is None or not outcome.taken:
            self._mine.loop = self._start()
            outcome = self._mine.loop.process(block)
        if outcome.last:
            self._mine.loop = None
        outcome.raise_error()

    def close(self) -> None:
        """Let every loop end."""
        for loop in self._started:
            loop.close()

    def _start(self) -> Handover:
        loop = Handover()
        self._started.append(loop)
        threading.Thread(target=self._run, args=[loop], daemon=True).start()
        return loop

    def _run(self, loop: Handover) -> None:
        _thread.loop, _thread.context = loop, self._context
        ended = _ENDED
        try:
            self._function()
        except BaseException as error:
            ended = failure_of(error)
        finally:
            loop.end(ended)


_thread = threading.local()
_adopted: dict[str, Handover] = {}


class Client:
    """Asks for blocks, as daisy's Client does.

    Within a worker function there is nothing to say. In a process started by hand or by
    ``init_callback_fn``, the context is read from ``DASK_BLOCKWISE_CONTEXT``; the process then
    joins the Dask cluster as one worker. If that is gone, as the run is over, there are no blocks.

    Parameters
    ----------
    context
        Where to find the run, for processes that have no environment variable.

    Examples
    --------
    >>> def spawn_worker(threshold):
    ...     def worker():
    ...         client = Client()  # and whatever is worth loading once
    ...         while True:
    ...             with client.acquire_block() as block:
    ...                 if block is None:
    ...                     break
    ...                 print(block.write_roi, threshold)
    ...
    ...     return worker
    """

    def __init__(self, context: Context | None = None) -> None:
        loop: Handover | None = getattr(_thread, "loop", None)
        if loop is None:
            self.context = context or Context.from_env()
            loop = _adopt(self.context)
        else:
            self.context = _thread.context
        self._loop = loop
        self.task_id = self.context["task_id"]

    @contextmanager
    def acquire_block(self) -> Iterator[Block | None]:
        """The next block, or None when there is none left.

        An exception in the body fails the block, and goes on to the caller.
        """
        block = self._loop.acquire()
        if block is None:
            yield None
            return
        try:
            yield block
        except BaseException as error:
            block.status = BlockStatus.FAILED
            self._loop.release(failure_of(error))
            raise
        if block.status is BlockStatus.PROCESSING:
            block.status = BlockStatus.SUCCESS
        self._loop.release(None)


def block_function(
    function: Callable[..., Any], context: Context
) -> Callable[[Block], Any] | BlockLoops | Handover:
    """A process function as a function of a block, whether it takes one or asks a Client."""
    adopted = _adopted.get(context["task_id"])
    if adopted is not None:
        return adopted
    return function if takes_block(function) else BlockLoops(function, context)


def takes_block(function: Callable[..., Any]) -> bool:
    """Whether a process function takes a block, rather than asking a Client for blocks.

    Examples
    --------
    >>> takes_block(lambda block: None), takes_block(lambda: None)
    (True, False)
    """
    try:
        parameters = signature(function).parameters.values()
    except ValueError:  # some functions of extension modules do not tell
        return True
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return any(p.kind in (*positional, Parameter.VAR_POSITIONAL) for p in parameters)


def _adopt(context: Context) -> Handover:
    loop = _adopted.setdefault(context["task_id"], Handover())
    join_cluster(context["scheduler"], loop.close)
    return loop
