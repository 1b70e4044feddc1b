// The thread that has the real sockets: see sockets.mjs.
import { lookup } from "node:dns";
import { connect } from "node:net";
import { constants } from "node:os";
import { parentPort, workerData as bell } from "node:worker_threads";
import { CAME, ENDED, ERROR, OPEN, RING, STATE, TAKEN, UNSENT } from "./sockets.mjs";

const all = new Map(); // the connections that the program has, by their number
const alive = new Set(); // and the sockets that are not closed yet

function ring() {
  Atomics.add(bell, 0, 1);
  Atomics.notify(bell, 0);
}

class Connection {
  constructor(address, port, numbers, bytes) {
    this.numbers = numbers;
    this.bytes = bytes;
    this.waiting = []; // what came and finds no room yet
    this.socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true });
    alive.add(this.socket);
    this.socket.on("close", () => alive.delete(this.socket));
    this.socket.on("connect", () => this.set(STATE, OPEN));
    this.socket.on("data", (data) => this.came(data));
    this.socket.on("end", () => this.came(null));
    this.socket.on("error", (error) => this.set(ERROR, error.errno ?? -constants.errno[error.code] ?? -5));
  }

  set(place, value) {
    Atomics.store(this.numbers, place, value);
    ring();
  }

  came(data) {
    this.waiting.push(data);
    this.pass();
  }

  // Hands over as much as there is room for; the other thread tells when it has taken some.
  pass() {
    while (this.waiting.length) {
      const [data] = this.waiting;
      if (data === null) return this.set(ENDED, 1);
      const came = Atomics.load(this.numbers, CAME);
      const piece = data.subarray(0, RING - (came - Atomics.load(this.numbers, TAKEN)));
      if (!piece.length) return void this.socket.pause();
      const from = came % RING;
      this.bytes.set(piece.subarray(0, RING - from), from);
      this.bytes.set(piece.subarray(RING - from), 0);
      this.set(CAME, came + piece.length);
      if (piece.length < data.length) this.waiting[0] = data.subarray(piece.length);
      else this.waiting.shift();
    }
    this.socket.resume();
  }

  close() {
    if (this.socket.connecting) this.socket.destroy();
    else this.socket.destroySoon(); // as soon as all is written
  }

  send(data) {
    this.socket.write(data, () => {
      Atomics.sub(this.numbers, UNSENT, data.length);
      ring();
    });
  }
}

const orders = {
  resolve(host, answer) {
    lookup(host, 4, (error, address) => {
      if (address) answer.set(Buffer.from(address), 1);
      Atomics.store(answer, 0, error ? 1 : address.length + 1);
      ring();
    });
  },
  connect: (id, ...more) => all.set(id, new Connection(...more)),
  send: (id, data) => all.get(id).send(data),
  taken: (id) => all.get(id)?.pass(),
  close(id) {
    all.get(id)?.close();
    all.delete(id);
  },
  end(ended) {
    for (const connection of all.values()) connection.close();
    const closed = [...alive].map((socket) => new Promise((done) => socket.once("close", done)));
    void Promise.all(closed).then(() => {
      Atomics.store(ended, 0, 1);
      ring();
    });
  },
};

parentPort.on("message", ([order, ...more]) => orders[order](...more));
