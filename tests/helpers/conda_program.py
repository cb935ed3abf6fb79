"""The conda commands that Snakemake calls, answered by py-rattler (see `conda_channel.py`)."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path

import rattler
import yaml

BASE = Path(os.environ["SVFAP_TEST_CHANNELS"])


async def install(names: list[str], specs: list[str], prefix: str) -> None:
    """Solve and link packages."""
    records = await rattler.solve(
        [rattler.Channel((BASE / name).as_uri()) for name in names],
        specs,
        gateway=rattler.Gateway(),
        platforms=["linux-64", "noarch"],
        virtual_packages=rattler.VirtualPackage.detect(),
    )
    await rattler.install(
        records, target_prefix=prefix, show_progress=False, cache_dir=str(BASE / "cache")
    )


def create(file: str, prefix: str) -> None:
    """Answer `conda env create`: install conda's packages, then check that pip's are there."""
    environment = yaml.safe_load(Path(file).read_text())
    wanted = environment["dependencies"]
    specs = [entry for entry in wanted if isinstance(entry, str)]
    asyncio.run(install(environment["channels"], specs, prefix))
    lines = [line for entry in wanted if isinstance(entry, dict) for line in entry["pip"]]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("\n".join(lines))
        listed.flush()
        pip = [f"{prefix}/bin/python", "-m", "pip", "install", "--no-index", "--quiet"]
        subprocess.run([*pip, "--requirement", listed.name], check=True)


def main(arguments: list[str]) -> None:
    """Answer one command."""
    if arguments == ["--version"]:
        print("conda 24.7.1")
    elif arguments[0] == "info":
        print(json.dumps({"conda_prefix": str(BASE), "platform": "linux-64"}))
    elif arguments[0] == "config":
        print(json.dumps({"get": {"channel_priority": "strict"}}))
    elif arguments[:2] == ["env", "create"]:
        parser = ArgumentParser()
        parser.add_argument("--file")
        parser.add_argument("--prefix")
        options, _ = parser.parse_known_args(arguments[2:])
        create(options.file, options.prefix)
    elif arguments[0] != "clean":
        sys.exit(f"conda: not one of the commands that Snakemake gave: {arguments}")


if __name__ == "__main__":
    main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # threads of py-rattler outlive the interpreter
