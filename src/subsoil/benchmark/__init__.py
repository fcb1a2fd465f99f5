"""Do soil models put new carbon at the right depth: scores against observations, with their intervals."""
