"""How much of the carbon at each depth of a soil came from the atmosphere in the last t years."""

__version__ = "0.1.0"
