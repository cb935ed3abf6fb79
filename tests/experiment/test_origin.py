"""Tables and figures say what their models start from."""

import pytest

from svfap.experiment.resolve import resolve

BEGINNINGS = {
    "Pre-trained on demo_pretrain: Synthetic faces": {"pretrain": {"datasets": ["demo_pretrain"]}},
    "Starts from the weights videomae-base.": {
        "pretrain": {"checkpoint": "videomae-base", "accept_licences": ["CC-BY-NC-4.0"]}
    },
}


@pytest.mark.parametrize("sentence", BEGINNINGS)
def test_the_notice_of_a_table_names_the_origin(sentence):
    values = {"datasets": {"DFEW": {}, "demo_pretrain": {}}, **BEGINNINGS[sentence]}
    notice = resolve(values, where="mine").tabulate_section().datasets["DFEW"].notice
    assert notice.startswith(sentence)


def test_random_weights_need_no_notice():
    values = {"datasets": {"DFEW": {}}, "finetune": {"init": "scratch"}}
    assert resolve(values, where="mine").tabulate_section().datasets["DFEW"].notice == ""
