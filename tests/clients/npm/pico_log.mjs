// What happens on the pins, in order: the file that vms.py plays to the simulated panel.
import { closeSync, openSync, writeSync } from "node:fs";

// A record is one of these bytes and its numbers, each of 32 bits with the low byte first; after TRANSFER's, which is
// their count, come the bytes that were sent.
const PIN = 1, SET = 2, SPI = 3, TRANSFER = 4, PWM = 5, LINE = 6;

export class Log {
  constructor(path) {
    this.file = openSync(path, "w");
    this.kept = Buffer.alloc(65536);
    this.length = 0;
  }

  pin(number, output, level) {
    this.record(PIN, number, output, level);
  }

  set(number, level) {
    this.record(SET, number, level);
  }

  spi(number, baudrate, sck, mosi, miso) {
    this.record(SPI, number, baudrate, sck, mosi, miso);
  }

  transfer(bytes) {
    this.record(TRANSFER, bytes.length);
    if (this.length + bytes.length > this.kept.length) this.flush();
    if (bytes.length > this.kept.length) return this.write(bytes);
    this.kept.set(bytes, this.length);
    this.length += bytes.length;
  }

  pwm(number, duty) {
    this.record(PWM, number, duty);
  }

  // A line was printed.
  line() {
    this.record(LINE);
  }

  record(kind, ...numbers) {
    if (this.length + 1 + 4 * numbers.length > this.kept.length) this.flush();
    this.length = this.kept.writeUInt8(kind, this.length);
    for (const number of numbers) this.length = this.kept.writeInt32LE(number, this.length);
  }

  flush() {
    this.write(this.kept.subarray(0, this.length));
    this.length = 0;
  }

  write(bytes) {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.file, bytes, at);
  }

  close() {
    this.flush();
    closeSync(this.file);
  }
}
