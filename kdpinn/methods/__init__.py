"""Methods of training that a recipe switches on, one per file; docs/training.md explains them."""
