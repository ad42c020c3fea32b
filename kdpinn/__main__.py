"""`python -m kdpinn` is the command `kdpinn`."""

from kdpinn.cli import app

app(prog_name="kdpinn")
