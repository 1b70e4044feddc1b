// A board at the end of a serial line: MicroPython's own REPL on standard input and output. Says "ready" on standard
// error when it listens.
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript/micropython.mjs";

// "May I paste?", and "no". This build says yes, and then waits for a keyboard that it has not got.
const QUESTION = [0x05, 0x41, 0x01];
const NO = "R\x00";

const micropython = await loadMicroPython({
  heapsize: 1024 * 1024,
  linebuffer: false,
  stdout: (bytes) => process.stdout.write(Buffer.from(bytes)),
});

// This build numbers its errors as WASI does: "no such file" is 44 there, and 2 on a board. On a board, an empty path is
// the folder that one is in, which mpremote counts on when it copies to ":".
micropython.runPython(`
import builtins, os, sys

def _like_a_board(function):
    def call(*args, **named):
        try:
            return function(*args, **named)
        except OSError as error:
            raise OSError({44: 2, 20: 17, 54: 20}.get(error.errno, error.errno))
    return call

class _Os:
    pass

for _name in dir(os):
    _member = getattr(os, _name)
    setattr(_Os, _name, _like_a_board(_member) if callable(_member) and _name[0] != "_" else _member)
_stat = _Os.stat
_Os.stat = lambda path: _stat(path or ".")
sys.modules["os"] = _Os
builtins.open = _like_a_board(open)
`);

micropython.replInit();
let held = [];
process.stdin.on("data", (chunk) => {
  for (const byte of chunk) {
    held.push(byte);
    if (held.some((value, at) => value !== QUESTION[at])) {
      held.splice(0).forEach((value) => micropython.replProcessChar(value));
    } else if (held.length === QUESTION.length) {
      held = [];
      process.stdout.write(NO);
    }
  }
});
process.stderr.write("ready\n");
