"""What the commands of `kdpinn` do; `kdpinn.cli` puts them together."""
