"""An executor whose jobs share nothing with each other: each starts in an empty folder.

It is the executor for clusters in general, which here sends the workflow's sources by the storage,
as the executors for Kubernetes and for clouds do.
"""

from dataclasses import replace

from snakemake_executor_plugin_cluster_generic import (
    Executor,
    ExecutorSettings,
)
from snakemake_executor_plugin_cluster_generic import (
    common_settings as of_clusters,
)

__all__ = ["Executor", "ExecutorSettings", "common_settings"]

common_settings = replace(of_clusters, job_deploy_sources=True)
