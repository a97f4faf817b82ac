"""Runs that are killed, stopped and robbed of their disk at random, against undisturbed ones."""
