"""A run as the cluster knows it: what it leaves on the scheduler and on workers, and takes along.

What has to happen beside the blocks, where they are sent and run, belongs here, and all that leans
on what Dask promises nothing of: that is in `names`, and in no other file.
"""
