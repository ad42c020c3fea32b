"""Numerical solutions of problems that have no closed form; one solver per file."""
