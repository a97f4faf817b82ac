"""A cluster's own folder, which its jobs see too: certificates, and what jobs print.

It lies in the person's home, which compute nodes of nearly all sites share, and which nobody else
may read.
"""

from __future__ import annotations

import shutil
import time
import uuid
from pathlib import Path

import yaml
from distributed import Security

__all__ = ["certificates", "cluster_folder", "connection_file"]

_HOME = "~/.dask-blockwise"
# What a killed process left is removed after so long, when its jobs are over on any system.
_KEPT_SECONDS = 14 * 24 * 3600.0


def cluster_folder(parent: str | None = None) -> Path:
    """A new folder for one cluster, which its owner alone may read.

    Parameters
    ----------
    parent
        Where, if not in the home: a folder that compute nodes share.
    """
    home = Path(parent or _HOME).expanduser()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(home)
    folder = home / f"cluster-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"
    folder.mkdir(mode=0o700)
    return folder


def _sweep(home: Path) -> None:
    for old in home.glob("cluster-*"):
        if time.time() - old.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(old, ignore_errors=True)


def certificates(folder: Path) -> Security:
    """Certificates of one cluster, in files of its folder, by which all its parts know each other.

    Raises
    ------
    ImportError
        If the package cryptography isn't installed.
    """
    try:
        made = Security.temporary()
    except ImportError as error:
        raise ImportError(
            "Workers in jobs and their scheduler speak in TLS, for which the package cryptography "
            "is needed, which is not installed: pip install 'dask-blockwise[hpc]'. Where nobody "
            "else is in the network, security=False goes without."
        ) from error
    held = {
        "ca": made.tls_ca_file,
        "cert": made.tls_scheduler_cert,
        "key": made.tls_scheduler_key,
    }
    paths = {}
    for name, text in held.items():
        path = folder / f"{name}.pem"
        path.touch(mode=0o600)
        path.write_text(str(text))
        paths[name] = str(path)
    roles = {
        f"tls_{role}_{part}": paths[part]
        for role in ("scheduler", "worker", "client")
        for part in ("cert", "key")
    }
    return Security(tls_ca_file=paths["ca"], require_encryption=True, **roles)


def connection_file(folder: Path, address: str) -> Path:
    """A file of Dask's configuration by which another process of the same person connects.

    Parameters
    ----------
    folder
        Of the cluster, with its certificates.
    address
        Of its scheduler.
    """
    parts = {part: str(folder / f"{part}.pem") for part in ("cert", "key")}
    tls = {"ca-file": str(folder / "ca.pem"), "client": parts}
    config = {
        "scheduler-address": address,
        "distributed": {"comm": {"require-encryption": True, "tls": tls}},
    }
    path = folder / "connect.yaml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config))
    return path
