"""Where a network comes from: told apart without loading it, so without torch."""

from __future__ import annotations

import importlib
import os
import pickle
import reprlib
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from types import FunctionType
from typing import Any

from ..engine.involved import Involved
from ..engine.pickling import pickled
from ..recipes import Verbatim, content_digest, digest_of, recipe_of
from ..recipes.by_name import Name, value_of
from .archives import danger_of
from .bioimageio import Description
from .outputs import Keys

__all__ = ["ModelSource"]

# What only archives of this kind hold.
_MARKS = {
    "constants.pkl": "torchscript",
    "archive_format": "export",
    # Of torch 2.6.
    "serialized_exported_program.json": "export",
}


@dataclass(frozen=True)
class ModelSource:
    """Where a network comes from; small, unless the network was given as a module.

    Examples
    --------
    >>> ModelSource.of("dask_blockwise.demo.unet:UNet", arguments={"in_channels": 1}).kind
    'import'
    """

    # "module", "import", "torchscript", "export", "onnx" or "pickle".
    kind: str
    # Path of the file, absolute since workers may run elsewhere, or "package.module:Class".
    where: str
    # Arguments of the class, as sorted pairs.
    arguments: tuple[tuple[str, Any], ...] = ()
    weights: str | None = None
    # The pickled module.
    content: bytes = b""
    # The keys of what is taken of the network's output, from the outside in; or of several.
    output: Keys = ()
    # A hash of what the file holds, so that other weights at the same path are another model.
    held: str = ""
    # What the pickled module finds by name in a person's own modules.
    names: frozenset[Name] = frozenset()

    def __recipe__(self) -> Any:
        """What the network does: code, arguments and weights, wherever they lie."""
        told: dict[str, Any] = {"kind": self.kind, "output": self.output}
        if self.held:
            file = Path(self.weights or self.where).name
            told["weights"] = Verbatim({"@": "bytes", "~name": file, "content": self.held})
        if self.kind == "module":
            return told | {"module": pickle.loads(self.content)}
        if self.kind == "import":
            (made_by,) = self.__by_name__()
            return told | {"class": made_by, "arguments": self.arguments}
        return told

    def __by_name__(self) -> list[Any]:
        """What it is made of and finds by name: its class, or names of all that it uses."""
        if self.kind == "import":
            package, _, name = self.where.partition(":")
            return [getattr(importlib.import_module(package), name)]
        return sorted(self.names)

    @property
    def made_of(self) -> tuple[Any, ...]:
        """Its classes and functions as this process has them now: after a reload others."""
        if self.kind == "import":
            with suppress(ImportError, AttributeError):
                return tuple(self.__by_name__())
        values = map(value_of, sorted(self.names))
        return tuple(value for value in values if isinstance(value, FunctionType | type))

    @property
    def code(self) -> str:
        """What its classes and functions do now."""
        return digest_of(recipe_of(self.made_of))

    @classmethod
    def of(
        cls,
        model: Any,
        weights: str | os.PathLike[str] | None = None,
        arguments: Mapping[str, Any] | None = None,
        trust: bool = False,
    ) -> ModelSource:
        """Tell what kind of model this is.

        Parameters
        ----------
        model : torch.nn.Module, or str
        weights : path, optional
        arguments : mapping, optional
            Of the class that ``model`` names.
        trust : bool
            Whether to take a network that runs code from its file, as a pickled one does.

        Returns
        -------
        ModelSource

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        TypeError, ValueError
            If it isn't a network, needs trust, or is given what it doesn't take.
        """
        text = str(Path(model).expanduser()) if isinstance(model, str | os.PathLike) else None
        if text is not None and ":" in text and not Path(text).exists():
            return cls._named(text, weights, arguments or {})
        if weights is not None or arguments:
            raise ValueError(
                f"weights={weights} and arguments={arguments} are given beside a model that brings "
                "its own: name the network as 'package.module:Class', or leave them out."
            )
        if text is None:
            return cls._of_module(model)
        return cls._of_file(Path(text), trust)

    @classmethod
    def _named(
        cls, name: str, weights: str | os.PathLike[str] | None, arguments: Mapping[str, Any]
    ) -> ModelSource:
        path = None if weights is None else str(Path(weights).expanduser().absolute())
        if path is not None and not Path(path).is_file():
            raise FileNotFoundError(
                f"There are no weights at {weights}: check the path, which is that of a file."
            )
        pairs = tuple((key, _frozen(value)) for key, value in sorted(arguments.items()))
        return cls("import", name, pairs, path, held=_hash(path))

    @classmethod
    def _of_module(cls, module: Any) -> ModelSource:
        kind = type(module).__name__
        if isinstance(module, type) or not hasattr(module, "state_dict"):
            mend = "make an object of the class, or wrap a function in a module"
            if isinstance(module, Mapping):
                mend = "if these are weights, load_state_dict them into the network, and give that"
            raise TypeError(
                f"model must be a torch.nn.Module, a path or 'package.module:Class', got "
                f"{reprlib.repr(module)}: {mend}."
            )
        involved = Involved()
        try:
            content = pickled(deepcopy(module).cpu(), involved)
            return cls("module", kind, content=content, names=involved.names)
        except Exception as error:
            raise TypeError(
                f"The network {kind} can't be sent to other processes ({error}): keep open files, "
                "locks and the like out of it, or name it 'package.module:Class'."
            ) from error

    @classmethod
    def _of_file(cls, path: Path, trust: bool) -> ModelSource:
        if path.is_dir():
            path = Description.of(path).weights
        if not path.exists():
            raise FileNotFoundError(
                f"There is no model at {path}: give a torch module, 'package.module:Class' with "
                "weights=, a TorchScript, torch.export or ONNX file, or a bioimage.io folder."
            )
        if path.suffix in (".py", ".yaml"):
            is_code = path.suffix == ".py"
            mend = (
                f"class that it has, {f'{path.stem}:Net'!r} with weights="
                if is_code
                else (f"folder of a bioimage.io model, {str(path.parent)!r}")
            )
            raise ValueError(f"{path} is no network: give the {mend}.")
        kind = _kind(path)
        if kind == "pickle" and not trust:
            raise ValueError(
                f"{path} is neither TorchScript nor torch.export. If it holds weights alone, name "
                "the network: predict(volume, 'package.module:Class', weights=path). If it is a "
                "pickled network, loading it runs code that the file brings: pass trust=True if "
                "you trust whoever made it."
            )
        danger = None if trust else danger_of(path, kind)
        if danger:
            raise ValueError(
                f"Loading or running {path} would run code that the file brings, as {danger}: pass "
                "trust=True if you trust whoever made it."
            )
        return cls(kind, str(path.absolute()), held=_hash(path))


def _kind(path: Path) -> str:
    if path.suffix == ".onnx":
        return "onnx"
    if not zipfile.is_zipfile(path):
        return "pickle"
    with zipfile.ZipFile(path) as archive:
        held = {name.rpartition("/")[2] for name in archive.namelist()}
    return next((kind for mark, kind in _MARKS.items() if mark in held), "pickle")


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _hash(path: str | Path | None) -> str:
    if path is None:
        return ""
    if not Path(path).stat().st_size:
        raise ValueError(f"{path} is empty: store the network, or its weights, anew.")
    with Path(path).open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        return content_digest(content)
