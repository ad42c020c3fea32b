"""What both examples share: a reading as a dictionary in, the estimate as a dictionary out."""

import math

from kdpinn_runtime import Assimilator, load
from kdpinn_runtime.assimilation import READINGS


class Twin:
    """A model and the estimate of its unknown inputs."""

    def __init__(self, path, unknown, noise):
        self.assimilator = Assimilator(load(path), unknown, noise=noise, loss="huber")
        self.outputs = [variable.name for variable in self.assimilator.model.outputs]

    def correct(self, reading):
        """Take in one reading, {name: number or None}; the estimate after it."""
        if not isinstance(reading, dict):
            raise ValueError(f"a reading is an object by name, got {reading!r:.60}")
        names = [*self.assimilator.known, *self.outputs]
        unknown = [name for name in reading if name not in names]
        missing = [name for name in self.assimilator.known if name not in reading]
        if unknown or missing:
            raise ValueError(f"a reading has {names}; missing: {missing}, unknown: {unknown}")
        number = {k: math.nan if v is None else float(v) for k, v in reading.items()}
        done = self.assimilator.update(
            [[number[name] for name in self.assimilator.known]],
            [[number.get(name, math.nan) for name in self.outputs]],
        )
        verdicts = {READINGS[k] for k in done.reading[0]}
        return {**self.told(), "reading": "used" if "used" in verdicts else max(verdicts)}

    def told(self):
        """{unknown: {"value": ..., "interval": [lower, upper] of 95 %}}."""
        intervals = self.assimilator.interval(0.95)
        return {
            name: {"value": value, "interval": list(intervals[name])}
            for name, value in self.assimilator.value.items()
        }
