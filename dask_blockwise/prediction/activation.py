"""What is made of a network's logits, on whatever device they lie."""

from __future__ import annotations

from typing import Any, Literal

__all__ = ["Activation", "activated", "check_channels"]

Activation = Literal["sigmoid", "softmax", "tanh"]


def check_channels(activation: str | None, channels: int | None, whose: str) -> None:
    """Refuse softmax of a single channel, which is 1 whatever the values.

    Parameters
    ----------
    activation : str or None
    channels : int or None
        How many there are; none where there is no such axis.
    whose : str
        For people.

    Raises
    ------
    ValueError

    Examples
    --------
    >>> check_channels("sigmoid", 1, "the network")
    >>> check_channels("softmax", 1, "the network")
    Traceback (most recent call last):
    ValueError: softmax is over channels, and the network has one alone, which would be 1
    everywhere: choose sigmoid, or give all channels, one a class.
    """
    if activation == "softmax" and (channels or 1) == 1:
        found = "none" if channels is None else "one alone, which would be 1 everywhere"
        raise ValueError(
            f"softmax is over channels, and {whose} has {found}: choose sigmoid, or give all "
            "channels, one a class."
        )


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
