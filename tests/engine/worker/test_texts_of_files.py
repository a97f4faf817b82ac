"""Files that people write are read as their makers wrote them, whatever the locale."""

import os
import subprocess
import sys

import pytest

from dask_blockwise import create_volume
from dask_blockwise.engine.worker.worker_file import WorkerFile

SOURCE = 'WORD = "Träger µm"\n'
# In which Python would read and write ASCII alone.
PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
SCRIPT = """
import locale
from dask_blockwise import open_volume, segment
assert locale.getpreferredencoding(False).upper() not in ("UTF-8", "UTF8")
segment(open_volume("raw.zarr/raw"), "own.py", parameters="own.yaml", halo=1)
"""


@pytest.mark.parametrize(
    "content",
    [
        SOURCE.encode(),
        b"\xef\xbb\xbf" + SOURCE.encode(),
        ("# -*- coding: latin-1 -*-\n" + SOURCE).encode("latin-1"),
    ],
    ids=["UTF-8", "with a mark of its order", "as it says"],
)
def test_a_worker_file_is_read_as_python_reads_it(tmp_path, content):
    (tmp_path / "worker.py").write_bytes(content)
    assert WorkerFile.read(tmp_path / "worker.py").module.WORD == "Träger µm"


def test_parameters_are_in_utf8_in_a_locale_that_isn_t(tmp_path):
    create_volume(tmp_path / "raw.zarr/raw", shape=(4, 4), dtype="uint8")
    (tmp_path / "own.yaml").write_text("word: Träger\n", "utf-8")
    (tmp_path / "own.py").write_text(
        "def segment_function(array, block, word=''):\n    return array.astype('u4')\n"
    )
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, "utf-8")
    ran = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=os.environ | PLAIN, capture_output=True
    )
    assert ran.returncode == 0, ran.stderr.decode()
