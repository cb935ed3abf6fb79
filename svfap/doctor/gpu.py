"""`python -m svfap.doctor.gpu`: what torch finds, as JSON; a crash of a driver ends here."""

import json
import sys
from typing import Any

import torch


def facts() -> dict[str, Any]:
    """Builds of torch and CUDA, and every GPU that has really multiplied two matrices."""
    found = []
    for number in range(torch.cuda.device_count()):
        device = torch.device("cuda", number)
        side = torch.ones(64, 64, device=device, dtype=torch.bfloat16)
        memory = torch.cuda.get_device_properties(device).total_memory
        assert (side @ side).sum().item() == 64**3
        found.append(f"{torch.cuda.get_device_name(device)} {memory / 2**30:.0f} GiB")
    built_for = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPUs"
    return {"torch": torch.__version__, "built_for": built_for, "gpus": found}


if __name__ == "__main__":
    json.dump(facts(), sys.stdout)
