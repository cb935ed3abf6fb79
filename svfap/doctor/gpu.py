"""`python -m svfap.doctor.gpu`: print facts of torch and its GPUs as JSON.

The doctor runs this module in a process of its own, since a broken driver can crash or block it.
"""

import json
import sys
from typing import Any

import torch


def facts() -> dict[str, Any]:
    """Return the versions of torch and CUDA, and every GPU, after a test of its arithmetic."""
    found = []
    for number in range(torch.cuda.device_count()):
        device = torch.device("cuda", number)
        side = torch.ones(64, 64, device=device, dtype=torch.bfloat16)
        memory = torch.cuda.get_device_properties(device).total_memory
        # A GPU can be listed and still fail to compute, for example one too old for this torch.
        assert (side @ side).sum().item() == 64**3
        found.append(f"{torch.cuda.get_device_name(device)} {memory / 2**30:.0f} GiB")
    built_for = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPUs"
    return {"torch": torch.__version__, "built_for": built_for, "gpus": found}


if __name__ == "__main__":
    json.dump(facts(), sys.stdout)
