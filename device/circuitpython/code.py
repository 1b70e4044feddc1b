"""Shows pictures of pico-a1111-proxy on a Waveshare Pico-LCD-1.3, with CircuitPython 9 or 10."""

# Not tested on hardware: only against stand-ins for CircuitPython's modules, and the real service.
# The pixels go from the network to the panel in bands of 16 rows. There is no displayio bitmap, which would take
# 115,200 bytes in one piece.
import json
import time

import board
import busio
import digitalio
import displayio
import fourwire
import socketpool
import wifi

SSID, PASSWORD = "your Wi-Fi", "its password"
HOST, PORT = "192.168.1.50", 8080
KEY = ""  # the service's SERVICE_API_KEY, if it has one
PROMPT = "a mountain lake at sunset"
PAUSE = 60  # seconds between pictures
PATIENCE = 120  # seconds that a drawing may take

DISPLAY, FORMAT = "waveshare-pico-lcd-1.3", "rgb565-be"
WIDTH, HEIGHT = 240, 240
FRAME = WIDTH * HEIGHT * 2  # bytes

band = bytearray(16 * WIDTH * 2)


class FrameError(Exception):
    """The answer is no frame; `again` is the number of seconds after which the same may work."""

    def __init__(self, text, again=PAUSE):
        super().__init__(text)
        self.again = again


def start_panel():
    """Wake the panel and open the whole of it for pixels. Returns the bus."""
    displayio.release_displays()  # the last run's bus still holds the pins
    spi = busio.SPI(clock=board.GP10, MOSI=board.GP11)  # no MISO: it would be GP8, which is the panel's DC
    bus = fourwire.FourWire(
        spi, command=board.GP8, chip_select=board.GP9, reset=board.GP12, baudrate=24_000_000
    )  # resets the panel
    time.sleep(0.15)
    bus.send(0x11, b"")  # SLPOUT
    time.sleep(0.12)
    bus.send(0x36, b"\x70")  # MADCTL
    bus.send(0x3A, b"\x05")  # COLMOD: 16 bits a pixel
    bus.send(0x21, b"")  # INVON: without it this glass shows a negative
    bus.send(0x2A, b"\x00\x00" + (WIDTH - 1).to_bytes(2, "big"))  # CASET
    bus.send(0x2B, b"\x00\x00" + (HEIGHT - 1).to_bytes(2, "big"))  # RASET
    bus.send(0x29, b"")  # DISPON
    return bus


def request():
    """The bytes that ask for a picture: HTTP/1.0, so that the service closes the connection at the end."""
    body = json.dumps({"prompt": PROMPT}).encode()
    lines = [
        f"POST /displays/{DISPLAY}/sdapi/v1/txt2img HTTP/1.0",
        f"Host: {HOST}:{PORT}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Accept: application/octet-stream",
    ]
    if KEY:
        lines.append("X-API-Key: " + KEY)
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def receive(sock, start):
    """Read what there is into the band from byte `start` on. Returns the number of bytes; OSError at the end."""
    count = sock.recv_into(memoryview(band)[start:])
    if not count:
        raise OSError("the answer was cut off")
    return count


def read_head(sock):
    """Read status and headers. Returns (status, headers by their names in lower case, bytes of the body in `band`)."""
    filled, end = 0, -1
    while end < 0:
        if filled == len(band):
            raise FrameError("the answer's headers are too long")
        filled += receive(sock, filled)
        end = bytes(band[:filled]).find(b"\r\n\r\n")
    first, *lines = str(bytes(band[:end]), "utf-8").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    left = filled - end - 4
    band[:left] = band[end + 4 : filled]
    words = first.split()
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
        raise FrameError(f"{HOST}:{PORT} is no web server")
    return int(words[1]), headers, left


def number(text, otherwise):
    """The whole number in a header, or `otherwise`."""
    return int(text) if text and text.isdigit() else otherwise


def read_sentence(sock, headers, filled):
    """The service's own words for what went wrong."""
    length = min(number(headers.get("content-length"), 0), len(band))
    while filled < length:
        filled += receive(sock, filled)
    try:
        return json.loads(str(bytes(band[:filled]), "utf-8"))["error"]
    except (ValueError, KeyError, TypeError):
        return "no reason given"


def check(headers):
    """FrameError if these are not the headers of a frame for this panel."""
    wanted = {
        "x-image-width": str(WIDTH),
        "x-image-height": str(HEIGHT),
        "x-image-format": FORMAT,
        "content-length": str(FRAME),
    }
    for name, value in wanted.items():
        if headers.get(name) != value:
            raise FrameError(f"{name} is {headers.get(name)} and has to be {value}")


def draw(sock, bus, filled):
    """Send the body to the panel, band by band; `filled` bytes of it are in the band already."""
    command, left = 0x2C, FRAME  # RAMWR begins at the window's corner, RAMWRC goes on
    while left:
        while filled < min(left, len(band)):
            filled += receive(sock, filled)
        bus.send(command, memoryview(band)[:filled])
        command, left, filled = 0x3C, left - filled, 0


def show_picture(pool, bus):
    """Ask for a picture and show it. FrameError when the answer is no frame, OSError when the network fails."""
    with pool.socket(pool.AF_INET, pool.SOCK_STREAM) as sock:
        sock.settimeout(10)
        sock.connect((HOST, PORT))
        sock.sendall(request())
        sock.settimeout(PATIENCE)
        status, headers, filled = read_head(sock)
        if status != 200:
            text = read_sentence(sock, headers, filled)
            raise FrameError(f"{status}: {text}", number(headers.get("retry-after"), PAUSE))
        check(headers)
        draw(sock, bus, filled)


bus = start_panel()
light = digitalio.DigitalInOut(board.GP13)
light.switch_to_output(value=True)
pool = socketpool.SocketPool(wifi.radio)
while True:
    pause = PAUSE
    try:
        if not wifi.radio.connected:
            wifi.radio.connect(SSID, PASSWORD)
        show_picture(pool, bus)
    except FrameError as why:
        print(why)
        pause = why.again
    except OSError as why:
        print("The network:", why)
    time.sleep(pause)
