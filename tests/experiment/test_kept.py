"""Where stages keep what survives a failed job."""

from pathlib import Path

from svfap.experiment import kept

CLIPS = Path(".snakemake/storage/s3/bucket/run/data/crops/toy/fold1/clips.csv")
VARIANT = Path("results/variants/fused/finetune/toy/fold1/checkpoint.pt")


def test_beside_the_output_without_a_place(monkeypatch):
    monkeypatch.delenv(kept.VARIABLE, raising=False)
    assert kept.folder(CLIPS) == CLIPS.parent
    assert kept.address(CLIPS) == ""


def test_a_folder_has_the_same_parts_on_every_machine(monkeypatch, tmp_path):
    monkeypatch.setenv(kept.VARIABLE, str(tmp_path))
    assert kept.folder(CLIPS) == tmp_path / "crops/toy/fold1"
    assert kept.folder(VARIANT) == tmp_path / "variants/fused/finetune/toy/fold1"
    assert kept.folder(Path("elsewhere/model.pt")) == Path("elsewhere")
    assert kept.address(VARIANT) == ""


def test_an_object_store_has_them_too_and_this_machine_a_copy(monkeypatch):
    monkeypatch.setenv(kept.VARIABLE, "s3://bucket/state/")
    assert kept.folder(VARIANT) == VARIANT.parent
    assert kept.address(VARIANT) == "s3://bucket/state/variants/fused/finetune/toy/fold1"
