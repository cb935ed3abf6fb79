"""From raw face video to a benchmark table: `snakemake --cores all`."""

from snakemake.utils import min_version

min_version("9.0")

if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/report.smk"


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
        expand(rules.review.output, dataset=EXPERIMENT.datasets),
