"""Animals: a cat, a fox or an owl that looks at you, lit from one side, in flat shapes."""

from __future__ import annotations

import numpy as np

from pico_a1111_proxy.upstreams.demo.painting.figures import Figure, Spots, mirrored, stage
from pico_a1111_proxy.upstreams.demo.painting.palettes import Pixels
from pico_a1111_proxy.upstreams.demo.painting.scene import Scene

FOX = ("fox", "foxes", "wolf", "wolves", "dog", "dogs", "puppy", "coyote", "husky")
OWL = ("owl", "owls", "bird", "birds", "eagle", "hawk", "penguin", "chick")
CAT = ("cat", "cats", "kitten", "kitty", "lynx", "tiger", "leopard", "panther", "lion")

MIDDLE = ((0.0, -0.6), (0.012, -0.15), (0.0, 0.02), (0.015, 0.1), (-0.01, 0.2), (0.02, 0.35), (0.03, 1.6))


def paint_animal(scene: Scene) -> Pixels:
    """The animal that the words name, or the seed; its coat, eyes and stripes are the seed's."""
    size = 1.1 if scene.bottom <= scene.right else 1.2
    centre = (scene.right * scene.between(-0.06, 0.06), 0.01 - 0.2 * (scene.bottom - 0.5))
    figure = Figure(scene, stage(scene, (centre[0], centre[1] - 0.03), 0.37 * size), centre, size)
    kinds = {"cat": CAT, "fox": FOX, "owl": OWL}
    named = [kind for kind, words in kinds.items() if scene.has(*words)]
    kind = named[0] if named else ("cat", "fox", "owl")[scene.count(0, 2)]
    palette = scene.palette
    coats = (palette.tone(0.12), palette.tone(0.3), palette.tone(0.55), palette.tone(0.8))
    if kind == "cat":
        _cat(scene, figure, coats[scene.count(0, 3)])
    elif kind == "fox":
        _fox(scene, figure, palette.accent * 0.9 if scene.chance(0.5) else palette.tone(0.58))
    else:
        _owl(scene, figure, coats[scene.count(0, 2)])
    return figure.lit(MIDDLE, 0.3)


def _cat(scene: Scene, figure: Figure, coat: Pixels) -> None:
    palette = scene.palette
    light = float(coat.mean()) > 0.5
    mark = coat * 0.68 if light else coat + (1 - coat) * 0.14
    _body(figure, coat, 0.2)
    bib = [(0.0, 0.2), (0.07, 0.21), (0.085, 0.32), (0.05, 0.44), (0.0, 0.47)]
    figure.shape(mirrored(bib), mark * 0.5 + palette.tone(0.95) * 0.5)
    ear = [(0.055, -0.16), (0.1, -0.225), (0.165, -0.31), (0.182, -0.2), (0.185, -0.08)]
    figure.both(ear, coat)
    inner_ear = [(0.095, -0.165), (0.125, -0.215), (0.155, -0.265), (0.163, -0.19), (0.155, -0.12)]
    figure.both(inner_ear, palette.accent * 0.55 + coat * 0.3)
    head = [(0.0, -0.185), (0.09, -0.178), (0.17, -0.1), (0.205, 0.02), (0.175, 0.11), (0.1, 0.175), (0.0, 0.195)]
    figure.shape(mirrored(head), coat)
    for at, reach in ((0.0, 0.085), (0.045, 0.07), (-0.045, 0.07)):
        figure.stroke([(at * 0.8, -0.175), (at * 0.95, -0.175 + reach * 0.5), (at, -0.175 + reach)], 0.018, mark, 0.9)
    for way in (-1, 1):
        for v in (0.03, 0.07):
            figure.stroke([(way * 0.195, v), (way * 0.155, v + 0.002), (way * 0.12, v - 0.005)], 0.014, mark, 0.9)
    muzzle = palette.tone(0.95) * 0.6 + coat * 0.4
    figure.both([(0.0, 0.075), (0.045, 0.068), (0.078, 0.105), (0.05, 0.15), (0.0, 0.145)], muzzle)
    _round_eyes(figure, scene, (0.085, -0.005), 0.05, slit=True)
    _nose(figure, scene, 0.075, 0.022)
    _whiskers(figure, palette.tone(0.97 if not light else 0.1))


def _fox(scene: Scene, figure: Figure, coat: Pixels) -> None:
    palette = scene.palette
    white = palette.tone(0.97)
    _body(figure, coat * 0.92, 0.18)
    figure.shape(mirrored([(0.0, 0.16), (0.1, 0.17), (0.12, 0.3), (0.06, 0.45), (0.0, 0.52)]), white * 0.95)
    figure.both([(0.05, -0.13), (0.105, -0.235), (0.175, -0.345), (0.2, -0.22), (0.19, -0.08)], coat)
    figure.both([(0.1, -0.15), (0.135, -0.225), (0.17, -0.295), (0.18, -0.2), (0.165, -0.1)], palette.tone(0.06))
    head = [(0.0, -0.165), (0.1, -0.16), (0.185, -0.06), (0.25, 0.06), (0.165, 0.1), (0.075, 0.165), (0.0, 0.225)]
    figure.shape(mirrored(head), coat)
    cheek = [(0.012, 0.07), (0.05, 0.02), (0.12, 0.015), (0.235, 0.06), (0.16, 0.098), (0.073, 0.16), (0.0, 0.215)]
    figure.both(cheek, white)
    bridge = [(0.0, -0.1), (0.04, -0.03), (0.035, 0.06), (0.02, 0.15), (0.0, 0.16)]
    figure.shape(mirrored(bridge), coat * 0.97 + white * 0.03)
    for way in (-1, 1):
        almond = [(way * 0.052, 0.005), (way * 0.08, -0.028), (way * 0.125, -0.035), (way * 0.1, 0.005)]
        figure.shape(almond, palette.tone(0.02))
        figure.disc((way * 0.089, -0.013), 0.0135, palette.tone(0.75) * 0.5 + palette.accent * 0.5)
        figure.disc((way * 0.089, -0.013), 0.007, palette.tone(0.0))
        figure.disc((way * 0.089 - 0.005, -0.019), 0.004, palette.tone(1.0))
    figure.disc((0.0, 0.188), 0.032, palette.tone(0.03), 0.78)
    figure.disc((-0.009, 0.18), 0.008, palette.tone(0.6), 0.6)


def _owl(scene: Scene, figure: Figure, coat: Pixels) -> None:
    palette = scene.palette
    pale = palette.tone(0.9) * 0.75 + coat * 0.25
    body = [(0.0, -0.05), (0.17, -0.02), (0.25, 0.15), (0.25, 0.4), (0.2, 0.62), (0.2, 1.6)]
    figure.shape(mirrored(body), coat * 0.85)
    figure.shape(mirrored([(0.0, 0.1), (0.13, 0.12), (0.165, 0.3), (0.14, 0.6), (0.14, 1.6)]), pale * 0.9)
    for row in range(9):
        for nth in range(-3, 4):
            u = (nth + 0.5 * (row % 2)) * 0.046
            if abs(u) < 0.14:
                v = 0.2 + row * 0.043
                figure.stroke([(u - 0.017, v), (u, v + 0.02), (u + 0.017, v)], 0.009, coat * 0.8, 0.6)
    figure.both([(0.05, -0.17), (0.13, -0.22), (0.2, -0.3), (0.195, -0.2), (0.185, -0.08)], coat)
    head = [(0.0, -0.16), (0.1, -0.185), (0.19, -0.12), (0.215, 0.0), (0.18, 0.12), (0.1, 0.175), (0.0, 0.185)]
    figure.shape(mirrored(head), coat)
    for way in (-1, 1):
        figure.disc((way * 0.092, -0.015), 0.104, pale, 1.06)
        for nth in range(20):
            angle = nth * np.pi / 10
            inner = (way * 0.092 + 0.066 * np.cos(angle), -0.015 + 0.066 * np.sin(angle))
            outer = (way * 0.092 + 0.1 * np.cos(angle), -0.015 + 0.105 * np.sin(angle))
            figure.stroke([inner, outer], 0.005, coat * 0.9, 0.6)
    _round_eyes(figure, scene, (0.092, -0.015), 0.058, slit=False)
    brow = [(0.0, 0.0), (0.03, -0.09), (0.1, -0.135), (0.185, -0.2), (0.12, -0.165), (0.03, -0.145), (0.0, -0.11)]
    figure.both(brow, coat * 0.8)
    figure.shape(mirrored([(0.0, 0.02), (0.026, 0.045), (0.022, 0.075), (0.0, 0.115)]), palette.tone(0.12))
    figure.stroke([(-0.008, 0.045), (-0.006, 0.08)], 0.006, palette.tone(0.6))


def _body(figure: Figure, coat: Pixels, shoulder: float) -> None:
    half = [(0.0, 0.1), (0.75, 0.16), (1.0, 0.3), (1.15, 0.5), (1.25, 0.75), (1.3, 1.7)]
    figure.shape(mirrored([(u * shoulder, v) for u, v in half]), coat * 0.86)


def _round_eyes(figure: Figure, scene: Scene, at: tuple[float, float], radius: float, slit: bool) -> None:
    palette = scene.palette
    iris = palette.accent if float(np.ptp(palette.accent)) > 0.1 else palette.tone(0.85)
    for way in (-1, 1):
        spot = (way * at[0], at[1])
        figure.disc(spot, radius * 1.1, palette.tone(0.02), 0.95)
        figure.disc(spot, radius, iris * 0.8, 0.93)
        figure.disc((spot[0], spot[1] + radius * 0.2), radius * 0.74, iris * 0.92 + palette.tone(1.0) * 0.08, 0.85)
        figure.disc(spot, radius * (0.3 if slit else 0.55), palette.tone(0.0), 2.5 if slit else 1.0)
        figure.disc((spot[0] - radius * 0.32, spot[1] - radius * 0.36), radius * 0.2, palette.tone(1.0))
        figure.disc((spot[0] + radius * 0.35, spot[1] + radius * 0.38), radius * 0.09, palette.tone(1.0))


def _nose(figure: Figure, scene: Scene, v: float, wide: float) -> None:
    dark = scene.palette.tone(0.05)
    half = [(0.0, v - 0.008), (wide, v - 0.006), (wide * 0.6, v + 0.012), (0.0, v + 0.022)]
    figure.shape(mirrored(half), scene.palette.accent * 0.6 + dark * 0.3)
    figure.stroke([(0.0, v + 0.018), (0.0, v + 0.04)], 0.005, dark, 0.2)
    for way in (-1, 1):
        figure.stroke([(0.0, v + 0.038), (way * 0.02, v + 0.052), (way * 0.044, v + 0.042)], 0.006, dark, 0.6)


def _whiskers(figure: Figure, colour: Pixels) -> None:
    for way in (-1, 1):
        for fall in (-0.022, 0.012, 0.046):
            path: Spots = [(way * 0.06, 0.105 + fall * 0.4), (way * 0.17, 0.09 + fall), (way * 0.3, 0.1 + fall * 2.1)]
            figure.stroke(path, 0.0042, colour, 0.7)
