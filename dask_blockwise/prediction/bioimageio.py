"""bioimage.io model folders: which file to load, and what belongs before and after the network.

After the bioimage.io model description, https://github.com/bioimage-io/spec-bioimage-io.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

__all__ = ["Description"]

_KEEP = ("ensure_dtype",)
_AFTER = {"sigmoid": "sigmoid", "softmax": "softmax"}


def _described(file: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(file.read_bytes())
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is no YAML: {' '.join(str(error).split())}.") from error
    parts = content if isinstance(content, Mapping) else {}
    tensors = [parts.get(name) for name in ("inputs", "outputs")]
    if not isinstance(parts.get("weights"), Mapping) or not all(map(_are_tensors, tensors)):
        raise ValueError(
            f"{file} describes no model: it needs weights, inputs and outputs, as bioimage.io has "
            "them."
        )
    return parts


def _are_tensors(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(o, Mapping) for o in value)


def _letter(axis: Mapping[str, Any]) -> str:
    """An axis as versions before 0.5 call it; one of space is x unless it is named."""
    kind = axis.get("type")
    return str(axis.get("id", "x")) if kind == "space" else str(kind)[:1]


@dataclass(frozen=True)
class Description:
    """What a folder says of its model."""

    folder: Path
    content: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, folder: Path) -> Description:
        """Read a folder's ``rdf.yaml`` or ``bioimageio.yaml``.

        Raises
        ------
        FileNotFoundError
            If it has neither.
        ValueError
            If it describes no model.
        """
        for name in ("rdf.yaml", "bioimageio.yaml"):
            if (folder / name).exists():
                return cls(folder, _described(folder / name))
        raise FileNotFoundError(f"{folder} is no bioimage.io model: it has no rdf.yaml.")

    @property
    def weights(self) -> Path:
        """The TorchScript file, or else that of ONNX.

        Raises
        ------
        ValueError
            If there is neither, or it lies outside of the folder.
        """
        formats = self.content["weights"]
        for known in ("torchscript", "onnx"):
            source = (formats.get(known) or {}).get("source")
            if source is not None:
                return self._within(str(source))
        raise ValueError(
            f"{self.folder} has weights {list(formats)}, but torchscript or onnx is needed: "
            "them, with bioimageio.core's add_weights for example."
        )

    @property
    def preprocessing(self) -> tuple[str, dict[str, Any]] | None:
        """Name and arguments of the one step that normalises; None if there is none.

        Raises
        ------
        ValueError
            If there are several.
        """
        return self._only("inputs", "preprocessing", "normalize=(subtract, divide)")

    @property
    def activation(self) -> str | None:
        """What the output goes through.

        Raises
        ------
        ValueError
            If it is not something that can be done block by block.
        """
        step = self._only("outputs", "postprocessing", "activation=")
        if step is None:
            return None
        if step[0] not in _AFTER:
            raise ValueError(
                f"{self.folder} declares the postprocessing {step[0]!r}, which is not known here "
                f"(known: {', '.join(_AFTER)}): say what to do instead with activation=."
            )
        if step[0] == "softmax" and step[1].get("axis", "channel") not in ("c", "channel"):
            raise ValueError(
                f"{self.folder} declares softmax along {step[1]['axis']!r}, but over channels "
                "alone is known here: say what to do instead with activation=."
            )
        return _AFTER[step[0]]

    def check_axes(self, space: Sequence[str]) -> None:
        """Refuse a volume whose axes come in another order than those of the network's input.

        Parameters
        ----------
        space : sequence of str
            Axes of space of a volume, to whose last ones a network of fewer is applied.

        Raises
        ------
        ValueError
        """
        axes = self.content["inputs"][0].get("axes") or ()
        named = [axis if isinstance(axis, str) else _letter(axis) for axis in axes]
        own = [axis for axis in named if axis in ("z", "y", "x")]
        if own and (own != list(space)[-len(own) :] or named[-len(own) :] != own):
            raise ValueError(
                f"{self.folder} declares an input of the axes {', '.join(named)}, but is given "
                f"channels and then {', '.join(space)}: turn the volume, volume.transpose("
                f"{', '.join(map(repr, own))}), or where channels come last, wrap the network in a "
                "torch.nn.Module that takes them first."
            )

    def _within(self, source: str) -> Path:
        """A file of the folder; refuses one that lies elsewhere, or that a link leads to."""
        path = self.folder / source
        if "://" in source or not path.resolve().is_relative_to(self.folder.resolve()):
            raise ValueError(
                f"{self.folder} names the weights {source!r}, which lie outside of it: fetch them "
                "into the folder, or give the file itself if you trust it."
            )
        return path

    def _only(self, tensors: str, kind: str, mend: str) -> tuple[str, dict[str, Any]] | None:
        (first, *_) = self.content[tensors]
        # Steps were named, not identified, before version 0.5.
        steps = [(s.get("id") or s["name"], s.get("kwargs", {})) for s in first.get(kind, ())]
        steps = [step for step in steps if step[0] not in _KEEP]
        if len(steps) > 1 or len(self.content[tensors]) > 1:
            raise ValueError(
                f"{self.folder} declares {len(self.content[tensors])} {tensors} and the steps "
                f"{[name for name, _ in steps]} in its {kind}, but one of each can be done: say "
                f"what to do instead with {mend}."
            )
        return steps[0] if steps else None
