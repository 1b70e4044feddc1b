"""The Wi-Fi: gets a connection, and says in plain words why there is none."""

from time import ticks_diff, ticks_ms

import network

PATIENCE = 20000  # milliseconds for one try: networks take up to 10 seconds, and then there is the address to get
NO_POWER_SAVING = 0xA11140  # with the chip's own power saving, answers may come seconds late

REASONS = {
    "STAT_WRONG_PASSWORD": "The Wi-Fi {} refuses the password of config.json.",
    "STAT_NO_AP_FOUND": "There is no Wi-Fi {} here.",
    "STAT_CONNECT_FAIL": "The Wi-Fi {} did not let us in.",
}


class WiFiError(Exception):
    """Why there is no connection, in one sentence."""


class WiFi:
    """The network `ssid`; an empty password is for an open one."""

    def __init__(self, ssid, password, power_saving=False):
        self.ssid = ssid
        self.password = password or None
        self.power_saving = power_saving
        self.wlan = network.WLAN(network.STA_IF)

    def is_up(self):
        """Whether there is a connection, as far as the chip knows."""
        return self.wlan.isconnected()

    def connect(self, rest):
        """Try once to get a connection. `rest(seconds)` is called meanwhile. Raises WiFiError."""
        try:
            self._begin()
            started = ticks_ms()
            while not self.wlan.isconnected():
                self._check(self.wlan.status())
                if ticks_diff(ticks_ms(), started) > PATIENCE:
                    raise WiFiError(f"The Wi-Fi {self.ssid} does not answer.")
                rest(0.1)
        except OSError as why:
            raise WiFiError(f"The Wi-Fi does not work: {why}.") from None
        finally:
            # Otherwise the chip goes on with this try, and takes no notice of the next.
            if not self.wlan.isconnected():
                self.leave()

    def leave(self):
        """Leave the network: a chip may say that it is connected when nothing comes through any more."""
        try:
            self.wlan.disconnect()
        except OSError:
            pass  # it was in none

    def _begin(self):
        self.wlan.active(True)
        if not self.power_saving:
            try:
                self.wlan.config(pm=getattr(network.WLAN, "PM_NONE", NO_POWER_SAVING))
            except (OSError, RuntimeError, ValueError):
                pass  # another chip than the Pico's, which has its own words for it
        self.wlan.connect(self.ssid, self.password)

    def _check(self, status):
        for name, words in REASONS.items():
            if status == getattr(network, name, None):  # not every board has every name
                raise WiFiError(words.format(self.ssid))
