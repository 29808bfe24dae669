"""How large a run's pod is, as tags that `dagster-k8s` reads; other launchers leave them alone.

Without them a run's pod is as large as its code server's. A process that has imported the
definitions holds 100 MB, one that folds, fits or draws 250 MB before it begins: in a pod nothing of
that is shared with others.
"""

import json

POD_TAG = "dagster-k8s/config"


def _pod(cpu: str, memory: str, most_memory: str) -> dict[str, str]:
    resources = {
        "requests": {"cpu": cpu, "memory": memory},
        # No limit of CPU: a heal that is throttled is late.
        "limits": {"memory": most_memory},
    }
    return {POD_TAG: json.dumps({"container_config": {"resources": resources}})}


HEAL_POD = _pod("250m", "256Mi", "512Mi")

LEARN_POD = _pod("500m", "512Mi", "2Gi")
