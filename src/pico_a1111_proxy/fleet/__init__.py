"""The fleet: what several proxies and workers have together in Redis, a file a thing."""
