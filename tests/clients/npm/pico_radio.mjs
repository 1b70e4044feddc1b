// The Wi-Fi as a script tells it: src/pico_a1111_proxy/simulator/radio.py in JavaScript, with the words of that.
const IDLE = 0, CONNECTING = 1, JOINED = 3, NO_NETWORK = -2, WRONG_PASSWORD = -3;

export class Radio {
  constructor({ ssid = null, key = null, after = 0, away = [], deaf = null }) {
    Object.assign(this, { ssid, key, after, away, deaf, touched: false, status: IDLE, left: 0, since: 0 });
  }

  tell(what, a, b, now) {
    if (what === "pm") return 0;
    this.touched = true;
    if (what === "status") return this.look(now);
    if (what === "connect") Object.assign(this, { status: this.answer(a, b), left: this.after, since: now });
    else if (what === "disconnect" || !a) this.status = IDLE;
    return 0;
  }

  reaches(now) {
    if (!this.touched) return !this.isAway(now);
    if (this.status === JOINED && this.away.some(([begin, end]) => begin <= now && end > this.since)) this.status = IDLE;
    const isDeaf = this.deaf !== null && this.since < this.deaf && this.deaf <= now;
    return this.status === JOINED && !isDeaf;
  }

  // When the network comes back by itself; Infinity where it does not.
  nextChange(now) {
    const ends = this.away.filter(([begin, end]) => begin <= now && now < end).map(([, end]) => end);
    return this.touched || !ends.length ? Infinity : Math.max(...ends);
  }

  answer(ssid, key) {
    if (this.ssid !== null && this.ssid !== ssid) return NO_NETWORK;
    return this.key !== null && this.key !== key ? WRONG_PASSWORD : CONNECTING;
  }

  look(now) {
    if (this.status === CONNECTING) {
      if (this.isAway(now)) this.status = NO_NETWORK;
      else if (this.left > 0) this.left -= 1;
      else Object.assign(this, { status: JOINED, since: now });
    }
    this.reaches(now);
    return this.status;
  }

  isAway(now) {
    return this.away.some(([begin, end]) => begin <= now && now < end);
  }
}
