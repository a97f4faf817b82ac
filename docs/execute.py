"""Execute notebooks, and keep what they show, without what is this machine's alone.

python docs/execute.py notebooks/quickstart.ipynb
"""

from __future__ import annotations

import re
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

_WIDGET = "application/vnd.jupyter.widget-view+json"
# What is this machine's, and what is shown in its place.
_PLACES = {
    rf"{re.escape(tempfile.gettempdir())}/tmp\w+": "/home/me/first-run",
    re.escape(sys.prefix): "/home/me/venv",
    re.escape(str(Path.home())) + r"(?=/)": "/home/me",
    r"ipykernel_\d+/\d+(?=\.py)": "ipykernel/cell",
    r"(?<=tls://)[\d.]+": "10.1.0.2",
    rf"\bon {re.escape(socket.gethostname())}\b": "on login1",
}


def execute(path: Path) -> None:
    """Execute a notebook in its folder, and write it in place."""
    notebook = nbformat.read(path, as_version=4)
    limits = {"timeout": 600, "startup_timeout": 600}
    NotebookClient(notebook, **limits, resources={"metadata": {"path": path.parent}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [_cleaned(output) for output in cell.outputs if _is_kept(output)]
    notebook.metadata.pop("widgets", None)
    nbformat.write(notebook, path)


def _is_kept(output: Any) -> bool:
    """Not bars, which are over, nor warnings."""
    is_bar = _WIDGET in output.get("data", {})
    return not is_bar and output.get("name") != "stderr"


def _cleaned(output: Any) -> Any:
    """Without paths of this machine; of Dask's own pages the text alone."""
    data = output.get("data", {})
    if "Dashboard" in data.get("text/html", "") or "<Client" in data.get("text/plain", ""):
        data.pop("text/html", None)
    for name, text in data.items():
        if name.startswith("text/"):
            data[name] = _placed(text)
    if "text" in output:
        output["text"] = _placed(output["text"])
    return output


def _placed(text: str) -> str:
    for place, shown in _PLACES.items():
        text = re.sub(place, shown, text)
    return text


if __name__ == "__main__":
    for given in sys.argv[1:]:
        execute(Path(given))
