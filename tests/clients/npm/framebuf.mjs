// Reads frames through MicroPython's own framebuf: [{"format", "width", "height", "data" in hexadecimal}, ...] on
// standard input, the pixels of each as rows of numbers on standard output, both as JSON; null for too few bytes.
import { readFileSync } from "node:fs";
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript/micropython.mjs";

const micropython = await loadMicroPython({ heapsize: 16 * 1024 * 1024, linebuffer: true });
micropython.globals.set("question", readFileSync(0, "utf8"));
micropython.runPython(`
import binascii, framebuf, json

for frame in json.loads(question):
    width, height = frame["width"], frame["height"]
    data = bytearray(binascii.unhexlify(frame["data"]))
    try:
        buffer = framebuf.FrameBuffer(data, width, height, getattr(framebuf, frame["format"]))
    except ValueError:
        print("null")
        continue
    print(json.dumps([[buffer.pixel(x, y) for x in range(width)] for y in range(height)]))
`);
