"""Portraits: a face seen from the front, lit from one side, in flat shapes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pico_a1111_proxy.upstreams.demo.painting.figures import Figure, Spots, mirrored, stage
from pico_a1111_proxy.upstreams.demo.painting.palettes import Pixels
from pico_a1111_proxy.upstreams.demo.painting.scene import Scene

MEN = ("man", "boy", "male", "king", "guy", "warrior", "knight", "samurai", "wizard", "father", "he")
WOMEN = ("woman", "girl", "female", "queen", "princess", "lady", "mother", "she", "witch", "elf")

# Half a face, from the top of the skull to the chin: (u, v).
HALF_FACE = ((0.0, -0.2), (0.07, -0.188), (0.113, -0.13), (0.126, -0.04), (0.121, 0.03), (0.105, 0.095))
HALF_JAW = ((0.076, 0.148), (0.036, 0.184), (0.0, 0.194))

# Where light turns to shade: over the brow, down the nose, across the lips to the chin and the chest.
TERMINATOR = (
    (0.03, -0.5), (0.035, -0.2), (0.02, -0.1), (0.002, -0.052), (0.008, -0.02), (0.022, 0.03), (0.032, 0.056),
    (0.022, 0.07), (0.004, 0.076), (0.01, 0.094), (0.016, 0.104), (0.006, 0.111), (0.012, 0.122), (0.002, 0.136),
    (0.012, 0.16), (0.008, 0.19), (-0.05, 0.225), (-0.02, 0.3), (0.03, 0.45), (0.05, 1.6),
)  # fmt: skip


@dataclass(frozen=True)
class Looks:
    """The colours and the kind of one face."""

    skin: Pixels
    hair: Pixels
    strand: Pixels
    cloth: Pixels
    lips: Pixels
    man: bool
    cut: int

    @classmethod
    def of(cls, scene: Scene) -> Looks:
        """As the words have it; what they leave open is the seed's."""
        palette = scene.palette
        man = scene.has(*MEN) or (not scene.has(*WOMEN) and scene.chance(0.4))
        skin = palette.tone(scene.between(0.74, 0.86))
        tone = (0.05, 0.1, 0.32, 0.5)[scene.count(0, 3)]
        cloth = palette.accent if scene.chance(0.45) else palette.tone(scene.between(0.2, 0.5))
        lips = skin * 0.45 + (palette.tone(0.35) if man else palette.tone(0.42)) * 0.55
        return cls(skin, palette.tone(tone), palette.tone(tone + 0.14), cloth, lips, man, scene.count(0, 3))


def paint_portrait(scene: Scene) -> Pixels:
    """A bust before a disc of light; hair, clothes and eyes are the seed's."""
    size = 1.12 if scene.bottom <= scene.right else 1.25
    centre = (scene.right * scene.between(-0.08, 0.08), -0.05 - 0.25 * (scene.bottom - 0.5))
    backdrop = stage(scene, (centre[0], centre[1] - 0.01), 0.36 * size * scene.between(0.8, 1.05))
    figure = Figure(scene, backdrop, centre, size)
    looks = Looks.of(scene)
    _hair_behind(figure, looks)
    _bust(scene, figure, looks)
    face = _outline(1.07 if looks.man else 0.96)
    figure.both([(0.118, -0.02), (0.14, -0.03), (0.143, 0.01), (0.13, 0.05), (0.117, 0.05)], looks.skin * 0.93)
    figure.shape(face, looks.skin)
    _features(scene, figure, looks)
    _hair(scene, figure, looks)
    if scene.has("glasses", "nerd", "professor", "scientist") or scene.chance(0.15):
        for way in (-1, 1):
            turns = np.linspace(0, 2 * np.pi, 20)
            ring = np.stack([way * 0.055 + 0.04 * np.cos(turns), -0.012 + 0.034 * np.sin(turns)], axis=1)
            figure.stroke(list(map(tuple, ring.tolist())), 0.006, scene.palette.tone(0.04), 0.0)
        figure.stroke([(-0.016, -0.018), (0.0, -0.024), (0.016, -0.018)], 0.006, scene.palette.tone(0.04), 0.0)
    return figure.lit(TERMINATOR, 0.5)


def _outline(jaw: float) -> Spots:
    right = [*HALF_FACE[:-1], (HALF_FACE[-1][0] * (1 + jaw) / 2, HALF_FACE[-1][1])]
    right += [(u * jaw, v) for u, v in HALF_JAW]
    return mirrored(right)


def _hair_behind(figure: Figure, looks: Looks) -> None:
    if looks.man or looks.cut == 0:
        return
    if looks.cut == 1:  # a bun
        figure.disc((0.0, -0.255), 0.075, looks.hair, 0.9)
        return
    low = 0.2 if looks.cut == 2 else 0.42
    half = [(0.0, -0.245), (0.11, -0.215), (0.165, -0.1), (0.175, 0.04), (0.19, low * 0.7), (0.17, low)]
    half.append((0.09, low + 0.02))
    figure.shape(mirrored(half), looks.hair * 0.8)


def _bust(scene: Scene, figure: Figure, looks: Looks) -> None:
    wide = 1.14 if looks.man else 1.0
    neck = 0.07 if looks.man else 0.056
    shoulder = [(0.16, 0.292), (0.265, 0.345), (0.315, 0.44), (0.34, 0.62), (0.36, 1.8)]
    figure.shape(mirrored([(neck * 1.15, 0.245), *((u * wide, v) for u, v in shoulder)]), looks.cloth)
    skin = [(neck, 0.1), (neck, 0.2), (neck * 1.25, 0.255), (0.11, 0.283)]
    deep = scene.between(0.3, 0.44)
    figure.shape(mirrored([*skin, (0.0, deep)]), looks.skin * 0.95, smooth=False)
    shadow = [(-neck, 0.13), (-neck, 0.185), (0.0, 0.238), (neck, 0.2), (neck, 0.13)]
    figure.shape(shadow, looks.skin * 0.68, smooth=False)
    seam = looks.cloth * 0.72
    figure.stroke([(0.115, 0.28), (0.06, 0.34), (0.0, deep + 0.006)], 0.012, seam, 0.2)
    figure.stroke([(-0.115, 0.28), (-0.06, 0.34), (0.0, deep + 0.006)], 0.012, seam, 0.2)
    figure.stroke([(0.0, deep), (0.006, deep + 0.12), (0.0, 0.9)], 0.008, seam, 0.2)


def _features(scene: Scene, figure: Figure, looks: Looks) -> None:
    brow = looks.hair * 0.75
    closed = scene.chance(0.3)
    rise = scene.between(-0.006, 0.006)
    for way in (-1, 1):
        _eye(scene, figure, way, closed)
        arch = [(0.02, -0.056), (0.045, -0.07 + rise), (0.078, -0.067), (0.094, -0.053)]
        figure.stroke([(way * u, v) for u, v in arch], 0.014 if looks.man else 0.0095, brow, 0.6)
    nostrils = [(-0.021, 0.06), (-0.012, 0.07), (0.0, 0.067), (0.012, 0.07), (0.021, 0.06)]
    figure.stroke(nostrils, 0.006, looks.skin * 0.72, 0.8)
    _mouth(scene, figure, looks)


def _mouth(scene: Scene, figure: Figure, looks: Looks) -> None:
    corner = 0.109 - scene.between(-0.002, 0.008)
    full = 0.8 if looks.man else 1.0
    upper = [(-0.042, corner), (-0.012, 0.109 - 0.012 * full), (0.0, 0.101), (0.012, 0.109 - 0.012 * full)]
    figure.shape([*upper, (0.042, corner), (0.0, 0.113)], looks.lips * 0.88)
    low = 0.112 + 0.018 * full
    figure.shape([(-0.04, corner), (0.0, 0.112), (0.04, corner), (0.018, low), (-0.018, low)], looks.lips)
    between = scene.palette.tone(0.03) * 0.5 + looks.lips * 0.3
    figure.stroke([(-0.044, corner), (0.0, 0.1125), (0.044, corner)], 0.004, between, 0.7)
    if looks.man and scene.chance(0.4):
        _beard(figure, looks)


def _beard(figure: Figure, looks: Looks) -> None:
    inner = [(0.0, 0.138), (0.052, 0.125), (0.055, 0.088), (0.085, 0.085), (0.112, 0.05), (0.122, 0.02)]
    outer = [(0.118, 0.075), (0.092, 0.155), (0.045, 0.212), (0.0, 0.225)]
    figure.shape(mirrored(inner + outer), looks.hair * 0.9, smooth=False)
    moustache = [(-0.055, 0.1), (-0.025, 0.088), (0.0, 0.091), (0.025, 0.088), (0.055, 0.1)]
    figure.stroke(moustache, 0.016, looks.hair * 0.9, 0.4)


def _eye(scene: Scene, figure: Figure, way: int, closed: bool) -> None:
    palette = scene.palette
    dark = palette.tone(0.02)
    u = way * 0.054
    if closed:
        figure.stroke([(u - 0.03, -0.018), (u, -0.006), (u + 0.03, -0.018)], 0.008, dark, 0.7)
        for lash in (-0.8, -0.3, 0.3, 0.8):
            figure.stroke([(u + 0.024 * lash, -0.012), (u + 0.032 * lash, 0.0)], 0.004, dark, 0.5)
        return
    white = [(u - 0.03, -0.013), (u - 0.012, -0.0275), (u + 0.012, -0.0275), (u + 0.03, -0.013), (u, -0.0015)]
    figure.shape(white, palette.tone(0.97))
    figure.disc((u, -0.0145), 0.0128, palette.accent * 0.75)
    figure.disc((u, -0.0145), 0.0068, dark)
    figure.disc((u - 0.0045, -0.019), 0.0032, palette.tone(1.0))
    lid = [(u - way * 0.03, -0.0125), (u - way * 0.012, -0.0285), (u + way * 0.014, -0.029), (u + way * 0.036, -0.014)]
    figure.stroke(lid, 0.0085, dark, 0.45)
    figure.stroke([(u - 0.026, -0.04), (u, -0.0435), (u + 0.026, -0.04)], 0.004, palette.tone(0.45), 0.8)


def _hair(scene: Scene, figure: Figure, looks: Looks) -> None:
    """The cap of hair: over the skull from ear to ear, back along a hairline with a parting."""
    part = scene.between(-0.06, 0.06)
    top = -0.24 if looks.man else -0.247
    side = 0.0 if looks.man else (0.02 if looks.cut < 2 else 0.14)
    outer = [(-0.13, side), (-0.148, -0.07), (-0.13, -0.165), (-0.07, top + 0.018), (0.0, top)]
    outer += [(-u, v) for u, v in reversed(outer[:-1])]
    line = [(0.114, -0.05), (0.085, -0.115), (part + 0.02, -0.158), (part, -0.165), (part - 0.03, -0.15)]
    figure.shape([*outer, *line, (-0.09, -0.11), (-0.114, -0.05)], looks.hair)
    for strand in np.linspace(0.15, 0.95, 7).tolist():
        for way in (-1, 1):
            end = (way * (0.118 + 0.018 * strand), side * 0.6 - 0.05 * (1 - strand) - 0.02)
            bend = (way * (0.035 + 0.078 * strand), -0.16 - 0.03 * strand)
            figure.stroke([(part, -0.168 - 0.06 * strand), bend, end], 0.004, looks.strand, 0.9)
    if not looks.man and scene.chance(0.6):
        for way in (-1, 1):
            figure.disc((way * 0.134, 0.075), 0.0125, scene.palette.accent, 1.3)
