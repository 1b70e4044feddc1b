"""The table of styles: what each is called, which words ask for it, and which palettes become it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pico_a1111_proxy.upstreams.demo.painting import animals, cosmos, crystals, landscape, portrait
from pico_a1111_proxy.upstreams.demo.painting.animals import paint_animal
from pico_a1111_proxy.upstreams.demo.painting.cosmos import paint_cosmos
from pico_a1111_proxy.upstreams.demo.painting.crystals import paint_crystals
from pico_a1111_proxy.upstreams.demo.painting.currents import paint_silk, paint_strokes
from pico_a1111_proxy.upstreams.demo.painting.flowers import paint_flower, paint_mandala
from pico_a1111_proxy.upstreams.demo.painting.landscape import paint_landscape
from pico_a1111_proxy.upstreams.demo.painting.palettes import Pixels
from pico_a1111_proxy.upstreams.demo.painting.portrait import paint_portrait
from pico_a1111_proxy.upstreams.demo.painting.robot import paint_robot
from pico_a1111_proxy.upstreams.demo.painting.scene import Scene
from pico_a1111_proxy.upstreams.demo.painting.skyline import paint_skyline


@dataclass(frozen=True)
class Style:
    """One way to paint. Any of `words` asks for it; `hints` only do where no word asks for another.

    `paint` returns float32 (3, h, w), sRGB from 0 to 1; what lies outside is clipped.
    """

    name: str
    paint: Callable[[Scene], Pixels]
    words: frozenset[str]
    hints: frozenset[str]
    palettes: tuple[str, ...]


def _style(name: str, paint: Callable[[Scene], Pixels], words: str, hints: str, palettes: str) -> Style:
    return Style(name, paint, frozenset(words.split()), frozenset(hints.split()), tuple(palettes.split()))


_LAND = (*landscape.FOREST, *landscape.DESERT, *landscape.WATER)
_BEASTS = (*animals.CAT, *animals.FOX, *animals.OWL)
_SPACE = (*cosmos.GALAXY, *cosmos.PLANET)

STYLES = (
    _style(
        "landscape",
        paint_landscape,
        "landscape mountain mountains hill hills valley scenery nature canyon volcano meadow countryside wilderness "
        "cliff waterfall fields prairie tundra " + " ".join(_LAND),
        "sky horizon sunset sunrise dusk dawn sun clouds evening morning autumn spring summer field mist fog night "
        "midnight moonlight moonlit starry aurora " + " ".join(landscape.SNOW),
        "dusk dawn daylight midnight teal green blue harbour",
    ),
    _style(
        "portrait",
        paint_portrait,
        "portrait face person people human child baby model hero heroine character selfie doctor pirate vampire "
        "astronaut scientist professor nurse dancer musician anime " + " ".join((*portrait.MEN, *portrait.WOMEN)),
        "hair eyes smile beard dress glasses",
        "dusk harbour teal clay purple dawn red daylight pink",
    ),
    _style(
        "animal",
        paint_animal,
        "animal animals pet creature bear rabbit bunny mouse horse " + " ".join(_BEASTS),
        "fur whiskers feathers cute",
        "dusk harbour teal clay purple dawn golden daylight midnight",
    ),
    _style(
        "robot",
        paint_robot,
        "robot robots android cyborg mech mecha droid machine automaton",
        "mechanical metal steampunk ai",
        "dusk harbour teal clay blue orange mono daylight neon",
    ),
    _style(
        "skyline",
        paint_skyline,
        "city cityscape skyline town street streets skyscraper skyscrapers tower towers building buildings metropolis "
        "urban downtown manhattan tokyo architecture castle",
        "cyberpunk neon rain lights roofs",
        "midnight dusk purple teal neon red blue dawn",
    ),
    _style(
        "cosmos",
        paint_cosmos,
        "space cosmos cosmic universe nebula astronomy supernova comet spaceship alien " + " ".join(_SPACE),
        "ring rings earth moon celestial star stars",
        "midnight dusk purple blue teal pink neon aurora red",
    ),
    _style(
        "crystals",
        paint_crystals,
        " ".join((*crystals.CLUSTER, *crystals.PANE)),
        "jewel sparkling emerald ruby sapphire",
        "purple blue teal pink dusk harbour aurora golden",
    ),
    _style(
        "flower",
        paint_flower,
        "flower flowers rose roses dahlia bloom blossom blossoms petal petals lotus daisy sunflower tulip lily bouquet "
        "orchid plant",
        "garden floral botanical leaf leaves",
        "pink red purple golden dusk orange pastel blue",
    ),
    _style(
        "mandala",
        paint_mandala,
        "mandala kaleidoscope ornament ornamental symmetry symmetrical rosette zentangle arabesque",
        "pattern sacred meditation zen hypnotic",
        "teal dusk purple harbour blue red aurora golden",
    ),
    _style(
        "strokes",
        paint_strokes,
        "flow strokes brushstrokes lines ink calligraphy current currents wind streamlines vangogh gogh swirl swirls",
        "abstract art painting minimal minimalist modern energy",
        "harbour dusk clay teal neon daylight red midnight",
    ),
    _style(
        "silk",
        paint_silk,
        "silk satin fabric cloth marble liquid fluid smoke waves wave velvet lava fire flame flames paint",
        "smooth soft dream dreamy texture wallpaper surreal background",
        "blue dusk teal purple golden harbour pink red aurora",
    ),
)
