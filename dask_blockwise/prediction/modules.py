"""Modules of torch, from all that a network may be given as."""

from __future__ import annotations

import inspect
import logging
import pickle
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from ..pipelines.named_functions import function_named
from .model_source import ModelSource
from .outputs import UnfitOutputError
from .weights import matching

__all__ = ["is_trained", "module_of", "only_shape"]

logger = logging.getLogger(__name__)


def module_of(source: ModelSource) -> torch.nn.Module:
    """Load a network, in float32 and ready for inference."""
    if source.kind == "module":
        module = pickle.loads(source.content)
    else:
        module = _imported(source) if source.kind == "import" else _of_file(source)
    if not isinstance(module, torch.nn.Module):
        raise TypeError(
            f"{source.where} gives a {type(module).__name__}, but a network is needed. If these "
            "are weights alone, name it: predict(volume, 'package.module:Class', weights=path)."
        )
    _check_inputs(module)
    return module if source.kind == "export" else module.float().eval()


def is_trained(source: ModelSource, module: torch.nn.Module) -> bool:
    """Whether a network that was loaded has the same weights wherever it is made.

    Parameters
    ----------
    source : ModelSource
    module : torch.nn.Module
        What it has given.
    """
    if source.kind != "import" or source.weights is not None:
        return True
    state = module.state_dict()
    if not state:
        return True
    again = _imported(source, seed=1).float().state_dict()
    return all(torch.equal(again[name].cpu(), value.cpu()) for name, value in state.items())


def _check_inputs(module: torch.nn.Module) -> None:
    """Refuse a network that needs more than an image."""
    try:
        taken = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    needed = [p.name for p in taken if p.kind in kinds and p.default is inspect.Parameter.empty]
    if len(needed) > 1:
        raise UnfitOutputError(
            f"The network takes {len(needed)} inputs, {', '.join(needed)}, but is given one, the "
            "image: wrap it in a torch.nn.Module that takes that alone and gives it the others."
        )


def _imported(source: ModelSource, seed: int = 0) -> Any:
    arguments = dict(source.arguments)
    try:
        with torch.random.fork_rng(devices=()):
            # Where it begins with random weights, with the same in each process.
            torch.default_generator.manual_seed(seed)
            module = function_named(source.where)(**arguments)
    except (ValueError, ImportError, AttributeError, TypeError) as error:
        raise ValueError(
            f"The network {source.where} can't be made with arguments={arguments} ({error}): check "
            "the name, 'package.module:Class', of what is installed or lies in the present folder, "
            "and what the class takes."
        ) from error
    if source.weights is not None:
        _load_state(module, source.weights)
    return module


def _of_file(source: ModelSource) -> Any:
    readers: dict[str, Callable[[str], Any]] = {
        "torchscript": partial(torch.jit.load, map_location="cpu"),
        "export": lambda path: torch.export.load(path).module(),
        "pickle": partial(torch.load, map_location="cpu", weights_only=False),
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return readers[source.kind](source.where)
    except Exception as error:
        raise ValueError(
            f"{source.where} can't be loaded ({type(error).__name__}: {error}): it may be cut off, "
            "of another version of torch, or need a package that isn't installed here."
        ) from error


def only_shape(source: ModelSource) -> tuple[int, ...] | None:
    """Of the only input that an exported network takes, along space; None if it takes more."""
    if source.kind != "export":
        return None
    program = torch.export.load(source.where)
    (name, *_) = program.graph_signature.user_inputs
    (image,) = (n.meta["val"].shape[2:] for n in program.graph.nodes if n.name == name)
    return tuple(image) if all(isinstance(n, int) for n in image) else None


def _load_state(module: torch.nn.Module, path: str) -> None:
    try:
        checkpoint = _state(path)
    except Exception as error:  # of whatever kind: torch raises many
        first = " ".join(str(error).split())[:100]
        raise ValueError(
            f"{path} is no file of weights, or is cut off, or holds more than tensors and would "
            "run code on loading: store the weights alone, torch.save(network.state_dict(), path) "
            f"({first})."
        ) from error
    found = matching(checkpoint, module.state_dict()) if isinstance(checkpoint, Mapping) else []
    if len(found) > 1:
        raise ValueError(
            f"{path} holds the weights of {type(module).__name__} {len(found)} times, in "
            f"{'; in '.join(map(str, found))}: store the ones that you want alone, torch.save."
        )
    if found and (found[0].nesting or found[0].prefix):
        logger.info("The weights are those in %s of %s", found[0], path)
    try:
        module.load_state_dict(found[0].values if found else checkpoint)
    except (RuntimeError, TypeError, AttributeError) as error:
        first = " ".join(str(error).split())[:300]
        raise ValueError(
            f"The weights {path} don't fit the network {type(module).__name__} ({first}): check "
            "arguments=, or take the weights of this network."
        ) from error


def _state(path: str) -> Any:
    if path.endswith(".npz"):
        with np.load(path) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays}
    return torch.load(path, map_location="cpu", weights_only=True)
