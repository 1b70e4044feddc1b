// Sockets for a thread that can't wait for events: another thread has the real ones, and both share memory. Nothing
// here blocks but `wait` and what has a time limit in milliseconds. Errors are numbers below 0, Linux's.
import { isIPv4 } from "node:net";
import { Worker } from "node:worker_threads";

export const POLLIN = 1, POLLOUT = 4, POLLERR = 8, POLLHUP = 16, POLLNVAL = 32;
export const EAGAIN = -11;
const EALREADY = -114, EBADF = -9, EINPROGRESS = -115, ENOTCONN = -107;
const MOST_UNSENT = 16384; // bytes that a connection takes before they are out
const RESOLVING = 10000; // milliseconds

// What the threads share of a connection: a ring of bytes received, and numbers, which are at these places.
export const RING = 65536;
export const STATE = 0, ERROR = 1, CAME = 2, TAKEN = 3, ENDED = 4, UNSENT = 5;
const NUMBERS = 6;
const IDLE = 0, CONNECTING = 1;
export const OPEN = 2;

export class Sockets {
  constructor() {
    this.bell = new Int32Array(new SharedArrayBuffer(4)); // the other thread counts it up at every change
    this.worker = new Worker(new URL("sockets_thread.mjs", import.meta.url), { workerData: this.bell });
    this.all = new Map();
    this.last = 0;
  }

  tell(...what) {
    this.worker.postMessage(what);
  }

  // Waits until `ready()` gives something other than undefined, but no longer than `ms`.
  wait(ms, ready) {
    const end = performance.now() + ms;
    for (;;) {
      const heard = Atomics.load(this.bell, 0);
      const got = ready();
      const left = end - performance.now();
      if (got !== undefined || left <= 0) return got;
      Atomics.wait(this.bell, 0, heard, left);
    }
  }

  // The address of a name; "" where it is not known.
  resolve(host) {
    if (isIPv4(host)) return host;
    const answer = new Uint8Array(new SharedArrayBuffer(64));
    this.tell("resolve", host, answer);
    const length = this.wait(RESOLVING, () => Atomics.load(answer, 0) || undefined) ?? 1;
    return Buffer.from(answer.slice(1, length)).toString();
  }

  open() {
    const numbers = new Int32Array(new SharedArrayBuffer(NUMBERS * 4));
    this.all.set(++this.last, { numbers, ring: new Uint8Array(new SharedArrayBuffer(RING)) });
    return this.last;
  }

  connect(id, address, port) {
    const one = this.all.get(id);
    if (!one) return EBADF;
    if (one.numbers[STATE] !== IDLE) return EALREADY;
    one.numbers[STATE] = CONNECTING;
    this.tell("connect", id, address, port, one.numbers, one.ring);
    return EINPROGRESS;
  }

  // What went wrong with it, or 0.
  error(id) {
    return Atomics.load(this.all.get(id).numbers, ERROR);
  }

  // Sends what `bytes(count)` gives; tells how much that was.
  send(id, count, bytes) {
    const one = this.all.get(id);
    if (!one) return EBADF;
    if (one.numbers[STATE] === IDLE) return ENOTCONN;
    const broken = this.error(id);
    if (broken) return broken;
    if (!writable(one)) return EAGAIN;
    const sent = Math.min(count, MOST_UNSENT - Atomics.load(one.numbers, UNSENT));
    Atomics.add(one.numbers, UNSENT, sent);
    this.tell("send", id, bytes(sent));
    return sent;
  }

  // Hands what came, `count` bytes at most, to `put(bytes, at)`; tells how much that was, 0 at the end.
  receive(id, count, put) {
    const one = this.all.get(id);
    if (!one) return EBADF;
    if (one.numbers[STATE] === IDLE) return ENOTCONN;
    const got = there(one) ?? EAGAIN;
    if (got <= 0) return got;
    const wanted = Math.min(count, got);
    const from = one.numbers[TAKEN] % RING;
    const first = Math.min(wanted, RING - from);
    put(one.ring.subarray(from, from + first), 0);
    put(one.ring.subarray(0, wanted - first), first);
    Atomics.add(one.numbers, TAKEN, wanted);
    this.tell("taken", id);
    return wanted;
  }

  // Which of `events` have come, after `ms` at most; errors come unasked.
  poll(id, events, ms) {
    const one = this.all.get(id);
    return one ? (this.wait(ms, () => ready(one, events) || undefined) ?? 0) : POLLNVAL;
  }

  close(id) {
    if (this.all.delete(id)) this.tell("close", id);
  }

  // Lets what was written go out, for a second at most.
  drain() {
    const ended = new Uint8Array(new SharedArrayBuffer(1));
    this.tell("end", ended);
    this.wait(1000, () => Atomics.load(ended, 0) || undefined);
  }
}

// The bytes that came; 0 at the end, an error after the last of them; undefined while nothing is there.
function there({ numbers }) {
  const count = Atomics.load(numbers, CAME) - Atomics.load(numbers, TAKEN);
  if (count) return count;
  return Atomics.load(numbers, ERROR) || (Atomics.load(numbers, ENDED) ? 0 : undefined);
}

function writable({ numbers }) {
  return Atomics.load(numbers, STATE) === OPEN && Atomics.load(numbers, UNSENT) < MOST_UNSENT;
}

function ready(one, events) {
  if (one.numbers[STATE] === IDLE) return POLLHUP | (events & POLLOUT);
  const readable = there(one) === undefined ? 0 : POLLIN;
  if (Atomics.load(one.numbers, ERROR)) return ((readable | POLLOUT) & events) | POLLERR | POLLHUP;
  return (readable | (writable(one) ? POLLOUT : 0)) & events;
}
