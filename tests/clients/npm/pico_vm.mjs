// MicroPython with a board's heap: as large as the board's and no larger, and collected while a program runs.
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript/micropython.mjs";

const SPARE = 96 * 1024; // left outside the heap: enough for strings on their way, too little for a second heap
const STATICS = 65536; // the C stack lies below, the statics above
const STACK = 2048; // words of the Python stack
const BLOCK = 16; // bytes that the heap is divided into
const HEAD = 1; // a block with which something begins

// Starts it; `heap` is in bytes, `print` is called with each line, and with the error output's.
export async function openVM(heap, print) {
  const instance = await instantiated(() => loadMicroPython({ heapsize: heap, pystack: STACK, stdout: print, stderr: print }));
  const vm = new VM(instance.result, instance.exports);
  vm.fillUp();
  vm.findSwitches();
  vm.findState();
  return vm;
}

// The VM asks for more memory where a chip has none, so the answer is made no. Its memory and its functions are not
// handed out either.
async function instantiated(load) {
  const { instantiate } = WebAssembly;
  const found = {};
  WebAssembly.instantiate = async (binary, imports) => {
    imports.env.emscripten_resize_heap = () => 0;
    const made = await instantiate(binary, imports);
    found.exports = made.instance.exports;
    return made;
  };
  try {
    found.result = await load();
  } finally {
    WebAssembly.instantiate = instantiate;
  }
  return found;
}

class VM {
  constructor(micropython, exports) {
    this.micropython = micropython;
    this.exports = exports;
    this.bytes = new Uint8Array(exports.memory.buffer); // it never grows, so it stays the same buffer
    this.words = new Int32Array(exports.memory.buffer);
    this.statics = exports.malloc(16); // they end below the first thing that was ever allocated, and so below this
    this.automatic = true;
    this.settle = null;
    this.main = micropython.globals.__dict__;
    this.name = exports.malloc(16);
    micropython._module.stringToUTF8("__name__", this.name, 16);
    this.answer = exports.malloc(16);
  }

  // Takes all memory but SPARE, so that the heap finds none to grow into.
  fillUp() {
    const spare = this.exports.malloc(SPARE);
    for (let size = 1 << 24; size >= 1024; size >>= 1) while (this.exports.malloc(size));
    this.exports.free(spare);
  }

  // This build collects only where no Python runs, since it can't see the C stack: it counts the calls that it is in,
  // and notes that a collection is wanted. Both are found by watching them. See `collect`.
  findSwitches() {
    const seen = [];
    const look = () => void seen.push(this.bytes.slice(STATICS, this.statics));
    const shown = { look: () => (look(), 0), deeper: () => (inner(), 0) };
    this.micropython.registerJsModule("_look", shown);
    this.micropython.runPython("import _look, gc");
    const inner = this.python("lambda: _look.look()");
    look();
    this.micropython.runPython("gc.threshold(-1); _look.look(); _look.deeper(); gc.collect(); _look.look()");
    look();
    const at = (pattern) => {
      const places = [];
      const one = seen[pattern.indexOf(1)];
      for (let place = one.indexOf(1); place >= 0; place = one.indexOf(1, place + 1)) {
        if (pattern.every((value, turn) => seen[turn][place] === value)) places.push(place);
      }
      if (places.length !== 1) throw new Error(`This MicroPython is another than expected: ${places.length} places`);
      return STATICS + places[0];
    };
    this.depth = at([0, 1, 2, 1, 0]) >> 2;
    this.wanted = at([0, 0, 0, 1, 0]);
    this.micropython.runPython("import sys; del sys.modules['_look'], _look, sys, gc");
  }

  // A Python function as JavaScript's.
  python(expression) {
    this.micropython.runPython(`_ = ${expression}`);
    const made = this.micropython.globals.get("_");
    this.micropython.runPython("del _");
    return made;
  }

  // Where the VM keeps what its heap and its Python stack are: found by the sizes that they have.
  findState() {
    const found = { stack: [], heap: [] };
    const { words } = this;
    for (let at = STATICS >> 2; at < this.statics >> 2; at++) {
      const [first, second, third] = [words[at], words[at + 1], words[at + 2]];
      if (second - first === 4 * STACK && third >= first && third < second) found.stack.push(at);
      // The table of what is free: where, its bytes, and that of what has a finaliser; then the blocks.
      const blocks = words[at + 4] - words[at + 3];
      if (second > 0 && blocks === second * 4 * BLOCK && first < third && third < words[at + 3]) found.heap.push(at);
    }
    if (found.stack.length !== 1 || found.heap.length !== 1) throw new Error("This MicroPython is another");
    const [table, length, , blocks] = words.subarray(found.heap[0], found.heap[0] + 4);
    Object.assign(this, { stack: found.stack[0], table, length, blocks, type: this.python("lambda: id(type)")() });
  }

  // Collects now, in the midst of a program. What Python holds is on its own stack, which is traced. What only C holds
  // is not: where a call has many arguments, or makes an object, C has copied them to the heap, and frees them after
  // the call. These are found. But a list that list(generator) is about to make is not: nothing in a generator that C
  // runs through may wait, send or draw.
  collect() {
    const depth = this.words[this.depth];
    const top = this.words[this.stack + 2];
    this.words[this.stack + 2] = this.hold(top);
    this.words[this.depth] = 0;
    this.bytes[this.wanted] = 1;
    this.exports.proxy_c_to_js_lookup_attr(this.main._ref, this.name, this.answer);
    this.words[this.depth] = depth;
    this.words[this.stack + 2] = top;
    this.settle?.();
  }

  // Puts the copied arguments on the Python stack, and tells where that ends then: whatever on the heap begins with
  // the same pointer as is on the stack, since the function that was called has the first argument there. Objects begin
  // with their class, and are not meant.
  hold(top) {
    const [bottom, end] = this.words.subarray(this.stack, this.stack + 2);
    const held = new Set(this.words.subarray(bottom >> 2, top >> 2));
    for (let block = 0; block < this.length * 4; block++) {
      if (((this.bytes[this.table + (block >> 2)] >> (2 * (block & 3))) & 3) !== HEAD) continue;
      const address = this.blocks + block * BLOCK;
      const first = this.words[address >> 2];
      if (first <= this.blocks || !held.has(first) || this.words[first >> 2] === this.type) continue;
      if (top >= end) throw new Error("The Python stack is full");
      this.words[top >> 2] = address;
      top += 4;
    }
    return top;
  }

  // Collects if the heap is nearly full: a chip does that by itself.
  breathe() {
    if (this.automatic && this.bytes[this.wanted]) this.collect();
  }
}
