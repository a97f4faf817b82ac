"""``python -m dask_blockwise`` is the command ``dask-blockwise``."""

from .cli import main

if __name__ == "__main__":
    main()
