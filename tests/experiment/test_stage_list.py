"""The list of stages: the same in rules, modules, paths and documents."""

import re
from pathlib import Path

from svfap.experiment import layout
from svfap.experiment.stage_list import STAGE_NAMES, markdown_table

ROOT = Path(__file__).parents[2]


def test_every_stage_has_a_rule_and_every_rule_is_a_stage():
    rules = "".join(path.read_text("utf-8") for path in (ROOT / "workflow/rules").glob("*.smk"))
    assert sorted(re.findall(r"^rule (\w+):", rules, re.MULTILINE)) == sorted(STAGE_NAMES)


def test_every_stage_has_a_module():
    modules = {path.stem for path in (ROOT / "svfap/stages").glob("*.py")} - {"__init__"}
    assert modules == {*STAGE_NAMES}


def test_every_stage_has_a_log():
    assert [*layout.LOGS] == [*layout.JOB_TIMES]
    assert {*layout.LOGS} == {*STAGE_NAMES}


def test_the_readme_has_the_table_of_stages():
    assert markdown_table() in (ROOT / "CONTRIBUTING.md").read_text("utf-8")
