"""A board, its panel and its radio, simulated: what device/ is tried on."""
