"""Structure of networks: from a teacher to its symmetry group, and to a network tied by it."""
