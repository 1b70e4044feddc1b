"""Test cards: a picture by which a person judges a panel, and the legend of what is wrong when it looks wrong."""

from pico_a1111_proxy.testcards.card import draw_testcard
from pico_a1111_proxy.testcards.legend import Row, legend

__all__ = ["Row", "draw_testcard", "legend"]
