"""Write the known array by another tool: ``python written_by.py NAME FOLDER``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import array_writers
import ome_zarr_writers
from writers import WRITERS

__all__ = ["array_writers", "ome_zarr_writers"]

if __name__ == "__main__":
    sys.stdout.write(json.dumps({"path": WRITERS[sys.argv[1]](str(Path(sys.argv[2]).resolve()))}))
