"""Servers that don't answer: they are waited for, but not without a word."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

ASKED = """
import warnings
from dask_blockwise.storage import documents

documents._PATIENCE_SECONDS = 0.5
warnings.simplefilter("error")
try:
    documents.read_json("s3://bucket/raw", "zarr.json")
except UserWarning as warning:
    print(warning)
"""


def test_a_server_that_does_not_answer_is_told_of(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
        told = subprocess.run(
            [sys.executable, "-c", ASKED],
            env={**os.environ, "AWS_ENDPOINT_URL": endpoint, "HOME": str(tmp_path), **keys},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert told.stdout.startswith("s3://bucket hasn't answered for 0.5 seconds"), told.stderr
    assert "AWS_ENDPOINT_URL" in told.stdout
