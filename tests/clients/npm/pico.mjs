// Runs a program as a Pico W's MicroPython does. On standard input, as JSON: {"program", "files" and "device": {path:
// text}, "modules": {name: text} of the board's own, "start": what prepares the VM, "heap" in bytes, "log": the path to
// write what happens on the pins to, and a script: "cut_power_at": ms, "presses": [[ms, pin, down]], "radio": {}}.
// On standard output, a line of JSON each: what the program prints, and in the end {"error": its last line}.
import { readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { Log } from "./pico_log.mjs";
import { Radio } from "./pico_radio.mjs";
import { openVM } from "./pico_vm.mjs";
import { Wire } from "./pico_wire.mjs";
import { Sockets } from "./sockets.mjs";

// An exception can't be told while the heap is full: so what the program has is let go before.
const RUN = `
try:
    execfile("/program.py")
except BaseException:
    globals().clear()
    import gc
    gc.collect()
    raise
`;

function tell(what) {
  const line = Buffer.from(JSON.stringify(what) + "\n");
  for (let at = 0; at < line.length; ) at += writeSync(1, line, at);
}

function say(line) {
  log.line();
  tell(line);
}

function write(files, folder, suffix = "") {
  for (const [path, text] of Object.entries(files)) {
    const whole = `${folder}/${path}${suffix}`;
    micropython.FS.mkdirTree(dirname(whole));
    micropython.FS.writeFile(whole, text);
  }
}

// Gives the VM what a board has beyond MicroPython. There it is not on the heap, but here it is.
function prepare(asked, wire) {
  const switches = { collect: () => vm.collect(), automatic: (on) => void (vm.automatic = Boolean(on)) };
  micropython.registerJsModule("_vm", switches);
  micropython.registerJsModule("_js_wire", wire);
  const own = { _start: asked.start, _wire: `from _js_wire import ${Object.keys(wire).join(", ")}` };
  write({ ...own, ...asked.modules }, "/modules", ".py");
  write(asked.device, "/lib");
  micropython.FS.mkdirTree("/flash");
  write(asked.files, "/flash");
  micropython.runPython('import sys, os\nsys.path[:] = ["/modules", "", ".frozen", "/lib"]\nos.chdir("/flash")\nimport _start');
  vm.settle = vm.python("_start.settle");
  micropython.runPython("del sys.modules['_start'], _start, sys, os");
  for (const name of Object.keys(asked.modules)) {
    micropython.runPython(`import ${name}\ndel ${name}`);
    vm.collect(); // each is compiled into a tidy heap
  }
}

// The last line of the traceback, "" where there is none.
function run(program) {
  micropython.FS.writeFile("/program.py", program);
  try {
    micropython.runPython(RUN);
  } catch (error) {
    if (error.name !== "PythonError") throw error;
    if (error.type !== "SystemExit") return error.message.trimEnd().split("\n").at(-1).replace(/:$/, "");
  }
  return "";
}

function end(error) {
  const rest = micropython._module._stdoutBuffer;
  if (rest.length) say(Buffer.from(rest).toString()); // a line without its end
  log.close();
  if (!error) sockets.drain();
  tell({ error });
  process.exit(0); // from within the program too: nothing of it runs any more
}

const asked = JSON.parse(readFileSync(0, "utf8"));
const sockets = new Sockets();
const log = new Log(asked.log);
const vm = await openVM(asked.heap, (line) => say(line.replace(/\r$/, "")));
const { micropython } = vm;
const wire = new Wire({ vm, sockets, log, radio: new Radio(asked.radio ?? {}), end }, asked);
prepare(asked, wire.functions());
wire.start(); // what a board has in its flash took no time
const error = run(asked.program);
end(wire.isCut() ? "PowerCut" : error);
