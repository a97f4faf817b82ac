"""What is made of a network's logits, on whatever device they lie."""

from __future__ import annotations

from typing import Any, Literal

__all__ = ["Activation", "activated"]

Activation = Literal["sigmoid", "softmax", "tanh"]


def activated(values: Any, activation: Activation | None, xp: Any) -> Any:
    """Probabilities, or numbers between -1 and 1, of logits.

    Parameters
    ----------
    values : array of float32, shape (channels, ...)
    activation : "sigmoid", "softmax" (over the channels), "tanh" or None
    xp
        The module whose array it is: numpy or torch.

    Examples
    --------
    >>> import numpy as np
    >>> activated(np.zeros((2, 1), np.float32), "softmax", np)
    array([[0.5], [0.5]], dtype=float32)
    """
    if activation == "sigmoid":
        return 1 / (1 + xp.exp(-xp.clip(values, -80, 80)))
    if activation == "softmax":
        powers = xp.exp(values - xp.amax(values, 0))
        return powers / powers.sum(0)
    return xp.tanh(values) if activation == "tanh" else values
