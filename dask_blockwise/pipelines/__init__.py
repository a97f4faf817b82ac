"""Pipelines in files: what a person says in YAML, and what was called in Python, as one another.

Which stages there are is registered here by those that make them. This knows nothing of volumes.
"""
