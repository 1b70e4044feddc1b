// `_wire` for the VM, as src/pico_a1111_proxy/simulator/wire.py is for CPython: pins, clock, power, Wi-Fi and sockets.
import { EAGAIN, POLLIN, POLLOUT } from "./sockets.mjs";

const CUT = -1000; // what poll answers without power
const EHOSTUNREACH = -113, EINPROGRESS = -115, EINTR = -4, ETIMEDOUT = -110;
const LAST_CALLS = 1000; // a program that goes on without power is ended after so many calls
const SLICE = 20; // milliseconds after which a wait looks again for what else has happened

const WITHOUT_POWER = {
  sleep_ms: 1, resolve: "", open: EINTR, connect: EINTR, send: EINTR, receive: EINTR, poll: CUT,
};
// These go on without power: a program may read a clock or tidy up on its way out.
const ALWAYS = ["get", "ticks_ms", "blocking", "close"];
const NAMES = [
  "pin", "set", "get", "spi", "transfer", "pwm", "watchdog", "feed", "reset", "wifi", "ticks_ms", "sleep_ms",
  "resolve", "open", "connect", "blocking", "send", "receive", "poll", "close",
];

export class Wire {
  // `end(why)` ends the program and does not come back. Times are in milliseconds since `start`.
  constructor({ vm, sockets, log, radio, end }, script) {
    Object.assign(this, { vm, sockets, log, radio, end });
    this.cutAt = script.cut_power_at ?? Infinity;
    this.presses = script.presses ?? [];
    this.start();
    this.callsWithoutPower = 0;
    this.timeout = this.deadline = Infinity; // the watchdog's
    this.patience = new Map(); // of each socket: -1 for ever
  }

  // The clock begins.
  start() {
    this.begun = performance.now();
    this.slept = 0;
  }

  // The functions, for a JavaScript module.
  functions() {
    return Object.fromEntries(NAMES.map((name) => [name, (...given) => this.call(name, given)]));
  }

  call(name, given) {
    this.vm.breathe(); // every call is one that comes from a line of Python
    if (!this.alive() && !ALWAYS.includes(name)) return WITHOUT_POWER[name] ?? 0;
    return this[name](...given) ?? 0;
  }

  now() {
    return Math.floor(performance.now() - this.begun + this.slept);
  }

  isCut() {
    return this.now() >= this.cutAt;
  }

  // Whether there is power; a watchdog that was not fed in time ends the program.
  alive() {
    if (this.isCut()) {
      this.callsWithoutPower += 1;
      if (this.callsWithoutPower > LAST_CALLS) this.end("PowerCut");
      return false;
    }
    if (this.now() >= this.deadline) this.end(`WatchdogReset: The watchdog was not fed for ${this.timeout} ms`);
    return true;
  }

  // Time passes without anybody waiting for it, but not past what happens before.
  skipTo(until) {
    this.slept += Math.max(0, Math.min(until, this.deadline, this.cutAt) - this.now());
  }

  pin(number, output, level) {
    this.log.pin(number, output, level);
  }

  set(number, level) {
    this.log.set(number, level);
  }

  get(number) {
    const now = this.now();
    const down = this.presses.reduce((last, [ms, pin, held]) => (pin === number && ms <= now ? held : last), false);
    return down ? 0 : 1; // pulled up
  }

  spi(...settings) {
    this.log.spi(...settings);
  }

  transfer(where, count) {
    this.log.transfer(this.vm.bytes.subarray(where, where + count));
  }

  pwm(number, duty) {
    this.log.pwm(number, duty);
  }

  watchdog(ms) {
    this.timeout = ms;
    this.feed();
  }

  feed() {
    this.deadline = this.now() + this.timeout;
  }

  reset() {
    this.end("BoardReset: machine.reset()");
  }

  wifi(what, a, b) {
    return this.radio.tell(what, a, b, this.now());
  }

  ticks_ms() {
    return this.now();
  }

  sleep_ms(ms) {
    this.skipTo(this.now() + ms);
    return this.alive() ? 0 : 1;
  }

  resolve(host) {
    return this.radio.reaches(this.now()) ? this.sockets.resolve(host) : "";
  }

  open() {
    const id = this.sockets.open();
    this.patience.set(id, -1);
    return id;
  }

  connect(id, address, port) {
    if (!this.radio.reaches(this.now())) return EHOSTUNREACH;
    const told = this.sockets.connect(id, address, port);
    const patience = this.patience.get(id);
    if (told !== EINPROGRESS || patience === 0) return told;
    const ready = this.poll(id, POLLOUT, patience);
    if (ready <= 0) return ready ? EINTR : ETIMEDOUT;
    return this.sockets.error(id);
  }

  blocking(id, ms) {
    this.patience.set(id, ms);
  }

  send(id, where, count) {
    const bytes = (some) => this.vm.bytes.slice(where, where + some);
    return this.transmit(id, POLLOUT, () => this.sockets.send(id, count, bytes));
  }

  receive(id, where, count) {
    const put = (bytes, at) => this.vm.bytes.set(bytes, where + at);
    return this.transmit(id, POLLIN, () => this.sockets.receive(id, count, put));
  }

  transmit(id, event, call) {
    const patience = this.patience.get(id);
    for (;;) {
      const done = this.radio.reaches(this.now()) ? call() : EAGAIN;
      if (done !== EAGAIN || patience === 0) return done;
      const ready = this.poll(id, event, patience);
      if (ready <= 0) return ready ? EINTR : ETIMEDOUT;
    }
  }

  poll(id, events, timeout) {
    const end = timeout < 0 ? Infinity : this.now() + timeout;
    while (this.alive()) {
      const now = this.now();
      if (!this.radio.reaches(now)) this.sitOut(end, now);
      else {
        const ready = this.sockets.poll(id, events, Math.min(SLICE, Math.max(0, end - now)));
        if (ready) return ready;
      }
      if (this.now() >= end) return 0;
    }
    return CUT;
  }

  // Without a network nothing comes: move on to what happens next.
  sitOut(end, now) {
    const next = Math.min(end, this.radio.nextChange(now), this.deadline, this.cutAt);
    if (next === Infinity) this.end("Hangs: The Wi-Fi is gone, and the program waits for it for ever");
    this.skipTo(next);
  }

  close(id) {
    this.patience.delete(id);
    this.sockets.close(id);
  }
}
