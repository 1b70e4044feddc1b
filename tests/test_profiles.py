"""Displays of one's own: a TOML file read as it is meant, and everything that is wrong with it told at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from pico_a1111_proxy.displays import Display, Panel, default_display
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.profiles import ProfilesError, read_profiles

DEFAULT = default_display(240, 240, invert=True)
LCD13 = DISPLAYS["waveshare-pico-lcd-1.3"]

Read = Callable[[str | bytes], dict[str, Display]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads this text as a file of displays."""
    file = tmp_path / "displays.toml"

    def of(text: str | bytes) -> dict[str, Display]:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_profiles(str(file), DEFAULT).displays

    return of


@pytest.fixture
def faults(read: Read) -> Callable[[str], list[str]]:
    """The faults that this text is refused with."""

    def of(text: str) -> list[str]:
        with pytest.raises(ProfilesError) as caught:
            read(text)
        return str(caught.value).splitlines()

    return of


def test_a_display_of_a_size_of_its_own_is_as_a_named_one_otherwise(read: Read) -> None:
    assert read("[desk]\nwidth = 128\nheight = 64\n") == {"desk": Display("desk", 128, 64)}


def test_a_display_like_a_known_one_differs_in_what_is_said(read: Read) -> None:
    (hall,) = read('[hall]\nlike = "waveshare-pico-lcd-1.3"\nrotate = 90\ninvert = true\nlabel = "Hall"').values()
    assert hall == replace(LCD13, name="hall", rotate=90, invert=True, label="Hall")


def test_everything_can_be_said(read: Read) -> None:
    (all_of_it,) = read(
        """
        [all]
        label = "Alles, höchstens"
        width = 296
        height = 128
        format = "mono-hlsb"
        fit = "contain"
        rotate = 270
        invert = true
        dither = "ordered"
        background = "#FF00aa"
        round = true
        linear_light = true
        sharpen = 200
        panel = { controller = "X", bus = "I2C", invon = false, madctl = 0xFF, x_offset = 1, y_offset = 2,
            sure = "low", source = "a", note = "b" }
    """.replace("2,\n            sure", "2, sure")
    ).values()
    assert all_of_it == Display(
        *("all", 296, 128, "mono-hlsb", "contain", 270, True, "ordered", "#FF00aa", True, 200, True),
        label="Alles, höchstens",
        panel=Panel("X", "I2C", False, 0xFF, 1, 2, "low", "a", "b"),
    )


def test_what_is_not_said_of_a_panel_is_not_known_or_as_in_what_it_is_like(read: Read) -> None:
    displays = read("""
        [a]
        width = 1
        height = 1
        panel.controller = "X"
        [b]
        like = "waveshare-pico-lcd-1.3"
        panel.madctl = 0
        [c]
        like = "b"
    """)
    assert displays["a"].panel == Panel("X", "", None, None, None, None, sure="low")
    assert LCD13.panel
    assert displays["b"].panel == displays["c"].panel == replace(LCD13.panel, madctl=0)


def test_like_the_default_is_the_display_of_the_settings_to_the_bit(read: Read) -> None:
    displays = read('[a]\nlike = "default"\n[b]\nlike = "a"\nwidth = 12')
    assert displays == {"a": replace(DEFAULT, name="a"), "b": replace(DEFAULT, name="b", width=12)}
    assert displays["b"].as_stored


def test_like_one_above_it_in_the_file_also_where_that_replaces_a_known_one(read: Read) -> None:
    displays = read("""
        ["waveshare-pico-lcd-1.3"]
        like = "waveshare-pico-lcd-1.3"
        invert = true
        [hall]
        like = "waveshare-pico-lcd-1.3"
    """)
    assert displays["waveshare-pico-lcd-1.3"] == replace(LCD13, invert=True)
    assert displays["hall"].invert


def test_the_order_is_that_of_the_file_and_an_empty_one_is_no_fault(read: Read) -> None:
    size = "\nwidth = 1\nheight = 1\n"
    assert list(read(f"[z]{size}[a]{size}[m]{size}")) == ["z", "a", "m"]
    assert read("") == read("# nothing yet\n") == {}


def test_a_byte_order_mark_and_windows_lines_are_no_fault(read: Read) -> None:
    assert list(read(b"\xef\xbb\xbf[a]\r\nwidth = 1\r\nheight = 1\r\n")) == ["a"]


@pytest.mark.parametrize("name", ["a", "0", "-", "_", "a.b", "a..", "x" * 64])
def test_good_names(read: Read, name: str) -> None:
    assert list(read(f'["{name}"]\nwidth = 1\nheight = 1')) == [name]


@pytest.mark.parametrize("name", ["", ".", "..", ".a", "A", "ä", "a b", "a/b", "a%2f", "a?", "x" * 65, "a\\n"])
def test_bad_names(faults: Callable[[str], list[str]], name: str) -> None:
    (fault,) = faults(f'["{name}"]\nwidth = 1\nheight = 1')
    assert fault.endswith(
        ": a name has lower-case letters, digits, dots, dashes and underscores, at most 64, and no dot in front"
    )


UNKNOWN = "a.like: '{}' is no known display, and none above it in the file"
IN_TWO = "waveshare-pico-lcd-1.3"  # TOML cuts it at the dot
TEXT = "a text in quotes of at most 200 printable characters"
SIZE_MISSING = [
    "a.width: is missing: a display has width and height, or like",
    "a.height: is missing: a display has width and height, or like",
]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[a]", SIZE_MISSING),
        ("[a]\nwidth = 1", SIZE_MISSING[1:]),
        ("a = 1", ["a: is no table; each display is one, such as [hall]"]),
        ("[[a]]\nwidth = 1", ["a: is no table; each display is one, such as [hall]"]),
        (
            "[default]\nwidth = 1\nheight = 1",
            ["default: is the display of the settings: TARGET_WIDTH, TARGET_HEIGHT and LUMINANCE_INVERT change it"],
        ),
        (
            '[a]\nlike = "waveshare-pico-lcd-13"',
            [UNKNOWN.format("waveshare-pico-lcd-13") + "; waveshare-pico-lcd-1.3 may be meant"],
        ),
        ('[a]\nlike = "qqqq"', [UNKNOWN.format("qqqq")]),
        ('[a]\nlike = "a"', [UNKNOWN.format("a")]),
        ("[a]\nlike = 3", ["a.like: '3' is not a name in quotes"]),
        # What is like a faulty one is not blamed for it.
        ('[a]\nwidth = 0\nheight = 1\n[b]\nlike = "a"', ["a.width: '0' is not a whole number from 1 to 1024"]),
        (
            f"[{IN_TWO}]\nwidth = 1\nheight = 1",
            [f"{IN_TWO}: no such table; a name with a dot is written in quotes, as in ['{IN_TWO}']"],
        ),
    ],
)
def test_what_is_no_display(faults: Callable[[str], list[str]], text: str, told: list[str]) -> None:
    assert faults(text) == told


LIKE = '[a]\nlike = "waveshare-pico-lcd-1.3"\n'


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("width = 1025", "a.width: '1025' is not a whole number from 1 to 1024"),
        ("width = 2.5", "a.width: '2.5' is not a whole number from 1 to 1024"),
        ("width = true", "a.width: 'True' is not a whole number from 1 to 1024"),
        ('width = "240"', "a.width: '240' is not a whole number from 1 to 1024, without quotes"),
        ('invert = "yes"', "a.invert: 'yes' is not one of true, false, without quotes"),
        ("rotate = 45", "a.rotate: '45' is not one of 0, 90, 180, 270"),
        ("rotate = false", "a.rotate: 'False' is not one of 0, 90, 180, 270"),
        ('fit = "Cover"', "a.fit: 'Cover' is not one of stretch, cover, contain"),
        ("dither = []", "a.dither: '[]' is not one of none, ordered, blue-noise, floyd-steinberg"),
        ('background = "red"', "a.background: 'red' is not a colour in quotes, such as \"#000000\""),
        ("background = 0", "a.background: '0' is not a colour in quotes, such as \"#000000\""),
        ("round = 1", "a.round: '1' is not true or false, without quotes"),
        ("linear_light = nan", "a.linear_light: 'nan' is not true or false, without quotes"),
        ('label = "two\\nlines"', f"a.label: {chr(10).join(('two', 'lines'))!r} is not {TEXT}"),
        ("sharpen = 201", "a.sharpen: '201' is not a whole number from 0 to 200"),
        ("sharpen = true", "a.sharpen: 'True' is not a whole number from 0 to 200"),
        ("label = 2026-01-01", f"a.label: '2026-01-01' is not {TEXT}"),
        (
            f'label = "{"x" * 201}"',
            f"a.label: '{'x' * 40}' is not a text in quotes of at most 200 printable characters",
        ),
        ("heigth = 1", "a.heigth: no such key; height may be meant"),
        ("pannel.madctl = 1", "a.pannel: no such key; panel may be meant"),
        ("panel = true", "a.panel: 'True' is not a table of its own"),
        ("panel.madctl = 256", "a.panel.madctl: '256' is not a whole number from 0 to 0xff"),
        ('panel.madctl = "0x70"', "a.panel.madctl: '0x70' is not a whole number from 0 to 0xff"),
        ("panel.x_offset = -1", "a.panel.x_offset: '-1' is not a whole number from 0 to 1023"),
        ('panel.sure = "very"', "a.panel.sure: 'very' is not one of high, medium, low"),
        ("panel.invn = true", "a.panel.invn: no such key; invon may be meant"),
        ("panel.zzz = {}", f"a.panel.zzz: no such key; there are {', '.join(vars(Panel('')))}"),
    ],
)
def test_each_fault_is_told_with_its_key_and_the_good_values(
    faults: Callable[[str], list[str]], line: str, told: str
) -> None:
    assert faults(LIKE + line) == [told]


def test_a_format_that_there_is_not_is_told_with_those_there_are(faults: Callable[[str], list[str]]) -> None:
    (fault,) = faults(LIKE + 'format = "rgb565"')
    assert fault.startswith("a.format: 'rgb565' is not one of rgb565-be, rgb565-le, ")
    assert fault.endswith(", mono-hlsb")


def test_what_is_no_key_is_told_with_those_there_are(faults: Callable[[str], list[str]]) -> None:
    for key in ("name", "as_stored", "zzz"):
        (fault,) = faults(f"{LIKE}{key} = 1")
        assert fault.startswith(f"a.{key}: no such key")
    assert fault.startswith("a.zzz: no such key; there are width, height, format, ")


@pytest.mark.parametrize("start", ["width = 1\nheight = 1", 'like = "default"'])
def test_a_panel_that_nobody_has_described_needs_a_controller(faults: Callable[[str], list[str]], start: str) -> None:
    assert faults(f"[a]\n{start}\npanel.madctl = 1") == ["a.panel.controller: is missing"]


def test_all_faults_are_told_at_once(faults: Callable[[str], list[str]]) -> None:
    told = faults("""
        [default]
        widht = 1
        [A]
        like = "nope"
        fit = "x"
        [b]
        height = 0
        panel.madctl = 300
        panel.bsu = "SPI"
    """)
    assert [fault.partition(":")[0] for fault in told] == [
        *("default", "default.widht", "default.width", "default.height"),
        *("A", "A.fit", "A.like"),
        *("b.height", "b.panel.madctl", "b.panel.bsu", "b.width", "b.panel.controller"),
    ]


VALUES = st.sampled_from(
    ["1", "-1", "1e400", "true", '"cover"', '"default"', '"a"', "[]", "{}", "2026-01-01", '"\\n"', '"\\u0000"', "nan"]
)
KEYS = st.sampled_from(["like", "width", "height", "rotate", "panel", "panel.note", "label", "background", '"\\n"'])


@effort(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(lines=st.dictionaries(KEYS, VALUES), name=st.sampled_from(["a", "default", '"."', '"\\n"', "b.c"]))
def test_whatever_is_in_it_there_are_displays_or_lines_that_name_the_table(
    read: Read, lines: dict[str, str], name: str
) -> None:
    text = f"[{name}]\n" + "\n".join(f"{key} = {value}" for key, value in lines.items())
    told = []
    try:
        assert list(read(text)) == ["a"]
    except ProfilesError as error:
        told = str(error).splitlines()
    starts = ("a.", "a:", "default", "'.'", "'\\n'", "b.c")
    assert [fault for fault in told if not fault.startswith(starts) and " is no TOML: " not in fault] == []
