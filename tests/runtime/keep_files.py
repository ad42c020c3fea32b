"""Adds model files of the format as it is now to `kept/`, with their answers, to be read for ever.

PYTHONPATH=tests/runtime:tests/fuzz python tests/runtime/keep_files.py

A file that is there already stays as it is: what was released once is never written again.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from make_corpus import seeds

import kdpinn_runtime

FOLDER = Path(__file__).parent / "kept"
POINTS = 5


def facts(content):
    """SHA-256, and values and first derivatives in float64 at points of the domain."""
    model = kdpinn_runtime.load(content)
    lower, upper = np.array(list(model.file.domain.values())).T
    x = lower + (upper - lower) * np.random.default_rng(0).uniform(0, 1, (POINTS, len(lower)))
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "points": x.tolist(),
        "jets": model.jet(x, ()).channels.tolist(),
    }


def main():
    """Writes what is new."""
    FOLDER.mkdir(exist_ok=True)
    index = FOLDER / "answers.json"
    known = json.loads(index.read_text()) if index.exists() else {}
    for name, content in seeds().items():
        path = FOLDER / f"version1-{name}.kdp"
        if path.name not in known:
            path.write_bytes(content)
            known[path.name] = facts(content)
    index.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
