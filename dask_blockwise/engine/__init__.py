"""Tasks over blocks, run on a Dask cluster: order, retries, ledger, progress.

What holds for any function of a block belongs here. What knows of volumes and their values does
not; what runs within worker processes is in `worker`.
"""
