"""Soil-carbon models, each one file of equations and one table of parameters; `catalogue` lists them."""
