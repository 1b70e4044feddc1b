// The panel of a T-Display, upright: keeps the bytes as they would go over the wire.
#pragma once
#include <Arduino.h>

#include <cstring>

#define TFT_BLACK 0x0000

inline uint8_t glass[135 * 240 * 2];

class TFT_eSPI {
 public:
  void init() {}
  void setRotation(uint8_t) {}
  void setSwapBytes(bool swap) { swap_ = swap; }
  void fillScreen(uint16_t colour) { std::memset(glass, colour, sizeof(glass)); }
  int16_t width() { return 135; }
  int16_t height() { return 240; }
  void pushImage(int32_t x, int32_t y, int32_t w, int32_t h, uint16_t *data) {
    if (x != 0 || w != width() || y < 0 || y + h > height()) std::abort();
    uint8_t *to = glass + y * w * 2, *from = (uint8_t *)data;
    for (int32_t at = 0; at < w * h * 2; at++) to[at] = from[swap_ ? at ^ 1 : at];
  }

 private:
  bool swap_ = true;  // the sketch has to say what it wants
};
