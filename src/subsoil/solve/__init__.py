"""Solvers of soil columns: block-tridiagonal algebra, steady states, ages without time steps, time runs."""
