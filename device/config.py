"""config.json: what the picture frame has to know, and what is wrong with it in plain words."""

import json

FILE = "config.json"
USUAL_BOARD = "waveshare_pico_lcd_1_3"

# name: (what it is when it is left out, what it may be, and what to say of it). None as the first: it has to be there.
_FLAG = (True, (bool,), "true or false")
_NUMBER = (int, float)
KEYS = {
    "ssid": (None, (str,), "the name of your Wi-Fi"),
    "password": ("", (str,), "the password of your Wi-Fi"),
    "url": (None, (str,), "the address of the service, such as http://192.168.1.50:8080"),
    "key": ("", (str,), "a key of the service, where it wants one"),
    "board": (None, (str,), "the name of a file in boards, such as " + USUAL_BOARD),
    "prompts": ({}, (dict,), 'such as {"A": "a mountain lake"}'),
    "live": _FLAG,
    "follow": _FLAG,
    "light": (100, _NUMBER, "a number from 1 to 100"),
    "sleep_after": (600, _NUMBER, "a number of seconds, 0 for never"),
    "power_saving": (False, (bool,), "true or false"),
    "watchdog": _FLAG,
}


class ConfigError(Exception):
    """What to mend, in one sentence."""


def read_config():
    """All of KEYS as a dict, with what was left out filled in. Raises ConfigError."""
    try:
        given = json.loads(_text())
    except ValueError:
        raise ConfigError(FILE + " is not JSON. Look for a missing comma, quote or bracket.") from None
    if not isinstance(given, dict):
        raise ConfigError(FILE + " has to begin with { and to end with }.")
    for name in given:
        if name not in KEYS:
            print(f'{FILE}: "{name}" is not known here, and ignored.')
    config = {name: _value(given, name) for name in KEYS}
    if not 1 <= config["light"] <= 100:
        raise _wrong("light")
    if config["sleep_after"] < 0:
        raise _wrong("sleep_after")
    for name in config["prompts"]:
        config["prompts"][name] = _fields(name, config["prompts"][name])
    return config


def read_board(name):
    """The module boards/NAME.py; the display's name in the service will do as well. Raises ConfigError."""
    name = name.replace("-", "_").replace(".", "_")
    try:
        return getattr(__import__("boards." + name), name)
    except (ImportError, AttributeError):
        raise ConfigError(f'{FILE}: "board" is "{name}", and boards has no such file.') from None


def likely_boards():
    """Where to tell of a wrong config: on the board that it names, as far as it can be read, or on the usual one."""
    boards = []
    for find_name in (_named, lambda: USUAL_BOARD):
        try:
            boards.append(read_board(find_name()))
        except (ConfigError, IndexError):
            pass
    return boards


def _named():
    return _text().partition('"board"')[2].split('"')[1]


def _text():
    try:
        with open(FILE) as file:
            return file.read().lstrip("\ufeff")  # which some editors put in front
    except OSError:
        raise ConfigError(FILE + " is missing. Copy config.example.json, and write your Wi-Fi into it.") from None


def _value(given, name):
    usual, kinds, what = KEYS[name]
    value = given.get(name)
    if usual is None and value in (None, ""):
        raise ConfigError(f'{FILE}: "{name}" is missing: {what}.')
    if value is None:
        return usual
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise _wrong(name)
    return value


def _fields(name, asked):
    """What txt2img is asked for when the button `name` is pressed, as a dict."""
    if isinstance(asked, str):
        asked = {"prompt": asked}
    if not isinstance(asked, dict) or not isinstance(asked.get("prompt"), str):
        raise ConfigError(f'{FILE}: the prompt of "{name}" has to be a text, or {{"prompt": "a text"}} with more.')
    return asked


def _wrong(name):
    return ConfigError(f'{FILE}: "{name}" has to be {KEYS[name][2]}.')
