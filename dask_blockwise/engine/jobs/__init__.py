"""Workers that are jobs of a batch system: what asks for them, looks after them, and replaces them.

What dask-jobqueue lacks is worked round here and in no other room. Nothing here knows of blocks.
"""
