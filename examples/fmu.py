"""Simulates an FMU in FMPy along the inputs that it carries, and compares with its known answers.

kdpinn export student.kdp --to fmu --out exported
python examples/fmu.py exported/fmu-f32/student.fmu
"""

import sys
from pathlib import Path

import fmpy

unit = sys.argv[1]
resources = Path(fmpy.extract(unit)) / "resources"
inputs = fmpy.read_csv(resources / "input.csv")
reference = fmpy.read_csv(resources / "reference.csv")

first, last = inputs["time"][[0, -1]]
result = fmpy.simulate_fmu(
    unit,
    fmi_type="ModelExchange",
    input=inputs,
    start_time=first,
    stop_time=last,
    output_interval=(last - first) / (len(inputs) - 1),
)
for name in reference.dtype.names[1:]:
    difference = abs(result[name] - reference[name]).max()
    print(f"{name}: {len(result)} instants, largest difference from the reference {difference:.3g}")
