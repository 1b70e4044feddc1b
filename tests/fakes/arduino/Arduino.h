// What the sketch uses of Arduino's core for the ESP32, for a PC. `delay` of a second or more is a pause: it is told on
// standard output, and the last one of PAUSES ends the program, with the panel's bytes in the file PANEL.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

using std::min;
using std::size_t;

class String {
 public:
  String(const char *text = "") : text_(text) {}
  explicit String(int number) : text_(std::to_string(number)) {}
  explicit String(const std::string &text) : text_(text) {}
  const char *c_str() const { return text_.c_str(); }
  size_t length() const { return text_.size(); }
  long toInt() const { return std::atol(text_.c_str()); }
  bool operator==(const char *other) const { return text_ == other; }
  bool operator!=(const char *other) const { return text_ != other; }
  String operator+(const String &other) const { return String(text_ + other.text_); }
  String operator+(const char *other) const { return String(text_ + other); }
  String operator+(int number) const { return String(text_ + std::to_string(number)); }

 private:
  std::string text_;
};

inline String operator+(const char *left, const String &right) { return String(left) + right; }

class Stream {
 public:
  virtual ~Stream() {}
  virtual size_t readBytes(char *buffer, size_t length) = 0;
  size_t readBytes(uint8_t *buffer, size_t length) { return readBytes((char *)buffer, length); }
  void setTimeout(unsigned long milliseconds) { timeout_ = milliseconds; }

 protected:
  unsigned long timeout_ = 1000;
};

struct SerialPort {
  void begin(unsigned long) {}
  void println(const String &text) { std::printf("%s\n", text.c_str()); }
};
inline SerialPort Serial;

void stop();  // the power is cut

inline void delay(uint32_t milliseconds) {
  static int left = std::atoi(std::getenv("PAUSES"));
  if (milliseconds < 1000) return;
  std::printf("pause %u\n", milliseconds / 1000);
  if (--left == 0) stop();
}
