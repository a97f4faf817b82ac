"""Arrays on disk and in the cloud: opened, created, read and written in whole shards or chunks.

Formats, metadata and paths belong here, and nothing else imports zarr or TensorStore. What is
computed from arrays, and when, does not.
"""
