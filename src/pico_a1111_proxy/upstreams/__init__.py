"""Upstreams: whatever generates pictures."""
