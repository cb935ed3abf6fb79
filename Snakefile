"""The workflow, from raw face video to a benchmark table: `snakemake --cores all`."""

from snakemake.utils import min_version

min_version("9.0")

# With --configfile, that file alone is the configuration; Snakemake would merge both.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/report.smk"


if workflow.is_main_process:
    interrupts.raise_once()


report: "workflow/report/workflow.rst"


onstart:
    PIPELINE.open()


onsuccess:
    PIPELINE.close("FINISHED")


onerror:
    PIPELINE.close("FAILED")


localrules:
    all,


rule all:
    default_target: True
    input:
        rules.tabulate.output,
        final_models(),
        expand(rules.review.output, dataset=EXPERIMENT.datasets),
