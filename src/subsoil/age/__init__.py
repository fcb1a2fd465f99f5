"""How old the carbon at each depth is: distributions, the published regression, hierarchical models."""
