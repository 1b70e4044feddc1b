// The Wi-Fi: it is there at the second look, for one name and one password.
#pragma once
#include <Arduino.h>

#define WIFI_STA 1
#define WL_CONNECTED 3

struct Radio {
  int looks = 0;
  bool known = false;
  void mode(int) {}
  bool setSleep(bool) { return true; }
  void begin(const char *ssid, const char *password) {
    known = String(ssid) == "your Wi-Fi" && String(password) == "its password";
  }
  int status() { return known && ++looks > 1 ? WL_CONNECTED : 0; }
};
inline Radio WiFi;
