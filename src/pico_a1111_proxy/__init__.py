"""Stable Diffusion pictures for the small displays of microcontrollers."""
