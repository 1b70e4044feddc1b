"""network as on a Pico W: Wi-Fi that joins, drops and comes back as the simulator was told."""

from socket import os_error

import _wire

STA_IF = 0
AP_IF = 1

STAT_IDLE = 0
STAT_CONNECTING = 1
STAT_GOT_IP = 3
STAT_CONNECT_FAIL = -1
STAT_NO_AP_FOUND = -2
STAT_WRONG_PASSWORD = -3

_EPERM = 1
_NOWHERE = ("0.0.0.0",) * 4  # noqa: S104 - what a Pico tells that has no address
_HERE = ("192.168.1.77", "255.255.255.0", "192.168.1.1", "192.168.1.1")

_names = {"hostname": "PicoW", "country": "XX"}
_active = {STA_IF: False, AP_IF: False}
_settings = {STA_IF: {"pm": 0xA11142, "ssid": ""}, AP_IF: {"pm": 0xA11142, "ssid": "PICO0000"}}


class WLAN:
    """The radio, as a station or as an access point; only the station reaches anybody here."""

    IF_STA = STA_IF
    IF_AP = AP_IF
    PM_NONE = 0x10
    PM_PERFORMANCE = 0xA11142
    PM_POWERSAVE = 0xA11C81
    SEC_OPEN = 0
    SEC_WPA_WPA2 = 0x00400006
    SEC_WPA3 = 0x01000004
    SEC_WPA2_WPA3 = 0x01400004

    def __init__(self, interface=STA_IF):
        if interface not in _active:
            raise ValueError("invalid interface")
        self._station = interface == STA_IF
        self._interface = interface

    def active(self, *up):
        """Switch the radio on or off; without an argument, whether it is on."""
        if not up:
            return _active[self._interface]
        _active[self._interface] = bool(up[0])
        if self._station:
            _wire.wifi("active", int(bool(up[0])), 0)
        return None

    def connect(self, ssid=None, key=None, **more):
        """Begin to join a network. Raises OSError while the radio is off."""
        for name in more:
            if name not in ("security", "bssid", "channel"):
                raise TypeError("extra keyword arguments given")
        if not self._station or not _active[STA_IF]:
            raise os_error(_EPERM)
        if ssid is not None:
            _settings[STA_IF]["ssid"] = ssid
        _wire.wifi("connect", _settings[STA_IF]["ssid"], key or "")

    def disconnect(self):
        """Leave the network."""
        if self._station:
            _wire.wifi("disconnect", 0, 0)

    def isconnected(self):
        """Whether there is a network and an address in it."""
        return self.status() == STAT_GOT_IP

    def status(self, *what):
        """One of STAT_*; with "rssi", how well the network is heard, in dBm. An access point: who is there."""
        if what and what[0] == "rssi" and self._station:
            return -50
        if what and what[0] == "stations" and not self._station:
            return []
        if what:
            raise ValueError("unknown status param")
        if self._station:
            return int(_wire.wifi("status", 0, 0)) if _active[STA_IF] else STAT_IDLE
        return STAT_GOT_IP if _active[AP_IF] else STAT_IDLE

    def ifconfig(self, *told):
        """Address, mask, gateway and name server; settings are taken and change nothing."""
        if told:
            return None
        return _HERE if self.isconnected() else _NOWHERE

    def ipconfig(self, *what, **told):
        """The newer words for the same: "addr4" and "gw4"."""
        if told:
            return None
        address, mask, gateway, _ = self.ifconfig()
        return {"addr4": (address, mask), "gw4": gateway, "has_dhcp4": True}[what[0]]

    def config(self, *what, **told):
        """Change settings such as pm, or tell the one that is named."""
        if not told:
            return self._tell(what[0])
        for name, value in told.items():
            if name not in _KNOWN:
                raise ValueError("unknown config param")
            if name == "pm" and self._station:
                _wire.wifi("pm", value, 0)
            if name == "hostname":
                hostname(value)
            _settings[self._interface]["ssid" if name == "essid" else name] = value
        return None

    def _tell(self, name):
        if name == "mac":
            return b"\x28\xcd\xc1\x00\x00\x01"
        if name == "hostname":
            return hostname()
        if name == "channel":
            return 6
        known = _settings[self._interface]
        name = "ssid" if name == "essid" else name
        if name not in known:
            raise ValueError("unknown config param")
        return known[name]

    def scan(self):
        """The networks that are heard: none."""
        return []

    def deinit(self):
        """Switch the radio off."""
        self.active(False)


_KNOWN = ("pm", "ssid", "essid", "hostname", "channel", "security", "key", "password", "txpower", "mac")


def hostname(*name):
    """The board's name in its network; 32 characters at most, else ValueError."""
    if name:
        if len(name[0]) > 32:
            raise ValueError
        _names["hostname"] = name[0]
        return None
    return _names["hostname"]


def country(*code):
    """Where the board is, in two letters, else ValueError: which channels may be used depends on it."""
    if code:
        if len(code[0]) != 2:
            raise ValueError
        _names["country"] = code[0].upper()
        return None
    return _names["country"]
