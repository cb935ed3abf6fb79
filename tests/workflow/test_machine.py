"""What describes the machine reruns nothing: real dry runs of a finished project."""

import json
import re

import pytest
import yaml
from helpers.toy_project import LABELS, changed, planned, snakemake, write_project

from svfap.config.machine import MachineConfig
from svfap.config.section import Section


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project that Snakemake takes for finished: its files are empty, their records are real."""
    folder = tmp_path_factory.mktemp("finished")
    videos = {
        (s, label): folder / f"{s}{n}.mp4" for s in range(4) for n, label in enumerate(LABELS)
    }
    for path in videos.values():
        path.touch()
    write_project(folder, videos)
    for line in snakemake(folder, "--summary").stdout.splitlines()[1:]:
        output = folder / line.split("\t")[0]
        output.parent.mkdir(parents=True, exist_ok=True)
        output.touch() if output.suffix else output.mkdir()  # folders have no suffix
    snakemake(folder, "--touch")
    return folder


def test_a_key_of_the_experiment_reruns_its_jobs(project):
    """So the records are real, and nothing below passes by chance."""
    assert planned(project) == {}
    try:
        changed(project, pretrain__mask_ratio=0.8)
        assert {"pretrain", "finetune", "evaluate"} < planned(project).keys()
    finally:
        changed(project)


def other_values(section):
    """Return a section's keys with values other than the defaults."""
    values = {}
    for name, field in type(section).model_fields.items():
        chosen = getattr(section, name)
        if isinstance(chosen, Section):
            values[name] = other_values(chosen)
        else:
            others = {bool: not chosen, str | None: "svfap.sif"}
            kind = field.annotation
            values[name] = others[kind] if kind in others else (chosen or 0) + 1
    return values


def test_every_key_of_the_machine_reaches_its_stage_and_reruns_nothing(project, tmp_path):
    values = other_values(MachineConfig())
    assert all(values[key] != value for key, value in MachineConfig().model_dump().items())
    flags = MachineConfig.model_validate(values).flags()
    assert {stage: json.loads(flag) for stage, flag in flags.items()} == {
        stage: {key: v for key, v in values[stage].items() if key != "threads"} for stage in flags
    }  # Snakemake itself gives a job its cores
    try:
        changed(project, machine=values)
        assert planned(project) == {}
        forced = snakemake(
            project, "--dry-run", "--printshellcmds", "--forcerun", "pretrain"
        ).stdout
        for stage, flag in flags.items():
            assert f"{stage} --machine '{flag}'" in forced
    finally:
        changed(project)


def test_a_profile_describes_the_machine_and_reruns_nothing(project, tmp_path):
    """It wins key by key over the configuration, so that two machines share one."""
    profile = {
        "config": ["machine={save_minutes: 3, finetune: {workers: 2}}"],
        "set-threads": {"pretrain": 2, "evaluate": 2},
        "set-resources": {"pretrain": {"gpu": 2, "mem_mb": 7, "gpu_manufacturer": "amd"}},
        "rerun-triggers": ["mtime", "params", "input", "software-env"],
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(profile))
    chosen = ("--workflow-profile", str(tmp_path))
    try:
        changed(project, machine={"ring_gb": 2, "finetune": {"device_batch": 3}})
        assert "Nothing to be done" in snakemake(project, *chosen).stderr
        forced = snakemake(
            project, "--dry-run", "--printshellcmds", "--forcerun", "pretrain", *chosen
        ).stdout
    finally:
        changed(project)
    assert "svfap.launch 2/1 pretrain" in forced
    flags = re.findall(r"finetune --machine '(.*?)'", forced)
    assert json.loads(flags[0]) == {
        "workers": 2, "device_batch": 3, "ring_gb": 2.0, "save_minutes": 3.0
    }  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        ("--resources", "gpus=1"),
        ("--set-resources", "pretrain:gpus=2"),
        ("--default-resources", "gpus=1"),
    ],
)
def test_a_profile_with_the_old_name_of_gpus_gets_one_clear_line(tmp_path, options):
    changed(tmp_path)
    done = snakemake(tmp_path, "--dry-run", *options, check=False)
    (line,) = [line for line in done.stderr.splitlines() if "Using" not in line]
    assert line.startswith("svfap: error: profile: rename `gpus` to `gpu`")
