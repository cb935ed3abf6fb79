"""A real SLURM cluster of two nodes on loopback, with two pretend GPUs each; needs root.

The nodes are two daemons of one machine, each with one CPU and more memory than there is. Jobs of
the partition `urgent` preempt jobs of `gpu`. SLURM reads its configuration from /etc/slurm, which
holds links while the cluster runs.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "slurm-wlm-basic-plugins", "munge")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue")
ETC = Path("/etc/slurm")
CONFS = ("slurm.conf", "gres.conf", "cgroup.conf")
NODES = ("svfap1", "svfap2")
GPUS = 2
CONF = """\
ClusterName=svfap
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,bf_interval=1
ReturnToService=2
MinJobAge=600
KillWait=10
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmdParameters=config_overrides
GresTypes=gpu
{nodes}
PartitionName=cpu Nodes=ALL Default=YES State=UP
PartitionName=gpu Nodes=ALL GraceTime=10 State=UP
PartitionName=urgent Nodes=ALL PriorityTier=9 PreemptMode=OFF State=UP
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=1 RealMemory=64000"
    " Gres=gpu:{gpus} State=UNKNOWN"
)


def missing() -> str:
    """Return why no cluster can be started here; empty if it can."""
    if os.geteuid() != 0:
        return "SLURM's daemons are started by root"
    if (ETC / CONFS[0]).exists():
        return f"{ETC / CONFS[0]} is there: this machine belongs to a cluster"
    if all(map(shutil.which, PROGRAMS)) or shutil.which("apt-get"):
        return ""
    return "neither SLURM nor apt-get is here"


def install() -> str:
    """Install Debian's SLURM if it is missing; return why apt failed, empty on success."""
    apt = ["apt-get", "--quiet", "--quiet"]
    packages = ["install", "--yes", "--no-install-recommends", *PACKAGES]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    said = []
    for command in ([*apt, "update"], [*apt, *packages]):
        if all(map(shutil.which, PROGRAMS)):
            return ""
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        said += done.stderr.strip().splitlines()[-1:]
    present = all(map(shutil.which, PROGRAMS))
    return "" if present else f"apt-get could not install SLURM: {' '.join(said)}"


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """Run a cluster that writes everything to a folder, until the end of the block."""
    configure(folder)
    ETC.mkdir(exist_ok=True)
    try:
        for name in CONFS:
            (ETC / name).unlink(missing_ok=True)
            (ETC / name).symlink_to(folder / name)
        start(folder)
        yield
    finally:
        subprocess.run(["scancel", "--user", "root"], timeout=60, check=False)
        time.sleep(2)
        for name in (*NODES, "slurmctld", "munged"):
            stop(folder / f"{name}.pid")
        for name in CONFS:
            (ETC / name).unlink(missing_ok=True)


def configure(folder: Path) -> None:
    """Write the cluster's configuration."""
    host = socket.gethostname().split(".")[0]
    port, *ports = free_ports(1 + len(NODES))
    nodes = [
        NODE.format(name=name, host=host, port=own, gpus=GPUS)
        for name, own in zip(NODES, ports, strict=True)
    ]
    for name in ("state", *NODES):
        (folder / name).mkdir()
    for number in range(GPUS):
        os.mknod(folder / f"gpu{number}", 0o20666, os.makedev(1, 3))
    conf = CONF.format(host=host, port=port, folder=folder, nodes="\n".join(nodes))
    (folder / "slurm.conf").write_text(conf)
    gpus = f"Name=gpu File={folder}/gpu[0-{GPUS - 1}]"
    (folder / "gres.conf").write_text("".join(f"NodeName={name} {gpus}\n" for name in NODES))
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o600)


def free_ports(count: int) -> list[int]:
    """Return free ports of the loopback interface."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start(folder: Path) -> None:
    """Start the daemons, and wait until all nodes are idle."""
    files = {
        "socket": "munge.sock",
        "key-file": "munge.key",
        "pid-file": "munged.pid",
        "log-file": "munged.log",
        "seed-file": "munge.seed",
    }
    options = [f"--{option}={folder / name}" for option, name in files.items()]
    subprocess.run(["munged", "--force", *options], check=True)
    subprocess.run(["slurmctld"], check=True)
    for name in NODES:
        subprocess.run(["slurmd", "-N", name], check=True)
    for _ in range(100):
        states = subprocess.run(
            ["sinfo", "-h", "-N", "-p", "cpu", "-o", "%T"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split()
        if states == ["idle"] * len(NODES):
            return
        time.sleep(0.2)
    logs = "\n".join(path.read_text()[-2000:] for path in folder.glob("*.log"))
    raise RuntimeError(f"the nodes never became idle\n{logs}")


def stop(pid_file: Path) -> None:
    """Stop the daemon that wrote its process id to a file."""
    if not pid_file.is_file():
        return
    process = Path("/proc") / pid_file.read_text().strip()
    for number in (signal.SIGTERM, signal.SIGKILL):
        for _ in range(50):
            if not process.exists():
                return
            os.kill(int(process.name), number)
            time.sleep(0.1)
