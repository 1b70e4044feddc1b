"""The demo painter's art: a prompt and a seed become a picture, by rules and noise alone."""
