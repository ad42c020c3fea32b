"""A model beside the thing it models: readings come in, estimates go out."""
