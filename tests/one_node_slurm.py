"""A SLURM of this machine alone, in a folder of its own; another that is here is left alone.

``python tests/one_node_slurm.py FOLDER`` keeps one until Ctrl-C, and prints how to talk to it. It
takes root and the packages ``slurm-wlm`` and ``munge``.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
_CORES = 16
_START_SECONDS = 60.0

# Whoever started one need not be who stops it.
_started: list[subprocess.Popen[bytes]] = []

# Files that stand for devices: SLURM counts them, and jobs are told which they have.
_DEVICES = "".join(f"Name=gpu File=/dev/{name}\n" for name in ("full", "null", "random", "zero"))

_CONF = """
ClusterName=one_node
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,sched_min_interval=0,bf_interval=2
ReturnToService=2
KillWait=5
MinJobAge=300
JobRequeue=1
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=16000 Gres=gpu:4 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def lacking() -> str:
    """What keeps a SLURM from being started here; empty where nothing does."""
    if os.geteuid():
        return "root"
    # Where Debian has daemons, which isn't on every PATH.
    missing = [program for program in _PROGRAMS if not shutil.which(program, path=_path())]
    return f"{', '.join(missing)} (apt-get install slurm-wlm munge)" if missing else ""


@contextmanager
def one_node_slurm(folder: Path) -> Iterator[Path]:
    """A SLURM within the body; its configuration is what SLURM_CONF must name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    conf = folder / "slurm.conf"
    ports = dict(zip(("ctld_port", "slurmd_port"), _free_ports(2)))
    host = socket.gethostname().partition(".")[0]
    conf.write_text(_CONF.format(folder=folder, host=host, cores=_CORES, **ports))
    (folder / "gres.conf").write_text(_DEVICES)
    with ExitStack() as stack:
        stack.enter_context(_daemon(_munged(folder), folder))
        _wait_for((folder / "munge.socket").exists, folder, "munged")
        stack.enter_context(_daemon(["slurmctld", "-D", "-f", str(conf)], folder))
        stack.enter_context(_daemon(["slurmd", "-D", "-f", str(conf)], folder))
        stack.callback(_cancel_all, conf)
        _wait_for(lambda: "idle" in _asked(conf, "sinfo", "-h", "-o", "%t"), folder, "slurmd")
        yield conf


@contextmanager
def shared(folder: Path) -> Iterator[Path]:
    """One for all processes that ask for it: the first starts it, the last to leave stops it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock, users = folder.with_suffix(".lock"), folder.with_suffix(".users")
    with _locked(lock):
        conf = folder / "slurm.conf"
        if not conf.exists():
            _keep_one(folder)
        with users.open("a") as file:
            file.write(f"{os.getpid()}\n")
    try:
        yield conf
    finally:
        with _locked(lock):
            left = [user for user in users.read_text().split() if user != str(os.getpid())]
            users.write_text("".join(f"{user}\n" for user in left))
            if not any(map(_lives, left)):
                _stop_kept(folder)


def _keep_one(folder: Path) -> None:
    """Start this script in a process of its own, and wait until it says that all is up."""
    script = [sys.executable, __file__, str(folder)]
    with folder.with_suffix(".out").open("wb") as out:
        process = subprocess.Popen(script, stdout=out, stderr=out, start_new_session=True)
    _started.append(process)
    folder.with_suffix(".pid").write_text(str(process.pid))
    told = folder.with_suffix(".out")
    end = time.monotonic() + 2 * _START_SECONDS
    while "SLURM_CONF" not in told.read_text():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(told.read_text())
        time.sleep(0.1)


def _stop_kept(folder: Path) -> None:
    pid = int(folder.with_suffix(".pid").read_text())
    os.kill(pid, signal.SIGTERM)
    while _lives(str(pid)):
        time.sleep(0.1)
    for process in _started:
        process.poll()
    (folder / "slurm.conf").unlink()


def _lives(pid: str) -> bool:
    stat = Path("/proc", pid, "stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _munged(folder: Path) -> list[str]:
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    files = {name: folder / f"munge.{name}" for name in ("socket", "pid", "log", "seed")}
    return [
        *("munged", "--foreground", "--force", f"--key-file={key}"),
        *(f"--socket={files['socket']}", f"--pid-file={files['pid']}"),
        *(f"--log-file={files['log']}", f"--seed-file={files['seed']}"),
    ]


@contextmanager
def _daemon(command: list[str], folder: Path) -> Iterator[None]:
    environment = os.environ | {"PATH": _path()}
    with (folder / f"{command[0]}.out").open("wb") as out:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _asked(conf: Path, *command: str) -> str:
    environment = os.environ | {"SLURM_CONF": str(conf)}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return told.stdout


def _cancel_all(conf: Path) -> None:
    """End all jobs, and wait until they are gone: slurmd leaves them behind."""
    _asked(conf, "scancel", "--user=root")
    end = time.monotonic() + 20
    while _asked(conf, "squeue", "-h") and time.monotonic() < end:
        time.sleep(0.2)


def _wait_for(condition: object, folder: Path, program: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            logs = "\n".join(f"{p}:\n{p.read_text()}" for p in folder.glob(f"{program}.*"))
            raise RuntimeError(f"{program} does not start.\n{logs}")
        time.sleep(0.1)


def main(folder: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with one_node_slurm(Path(folder).resolve()) as conf:
        sys.stdout.write(f"export SLURM_CONF={conf}\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
