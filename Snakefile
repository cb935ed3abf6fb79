"""The workflow, from raw face video to a benchmark table: `snakemake --cores all`."""

workflow.include("workflow/Snakefile", overwrite_default_target=True)
