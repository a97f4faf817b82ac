"""Predict: a network over a volume, block by block, equal to its prediction on the whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .geometry.blocks import Block
from .prediction.predict import predict
from .volumes.opening import open_volume

__all__ = ["fit", "predict", "read_write_conflict", "spawn_worker"]


fit = "shrink"


read_write_conflict = False


def spawn_worker(
    input_path: str, output_path: str, model: str, **options: Any
) -> Callable[[Block], None]:
    """A function that writes the prediction of one block.

    Parameters
    ----------
    input_path, output_path : path or URL
        Of stored volumes; the output with channels.
    model, **options
        As for `predict`.
    """
    prediction, output = (
        predict(open_volume(input_path), model, **options),
        open_volume(output_path),
    )

    def process(block: Block) -> None:
        output[block.write_roi] = prediction[block.write_roi]

    return process
