"""How much memory many large bodies take at once: 60 uploads of 10 MB, and 20 pictures of 64 megapixels.

Compared with the same service at rest, and with what it would take to hold every body. The bound that is proved: the
uploads take less than 300 MB more, which is the room for bodies and two conversions; and each gets a picture or a 503.
"""

from __future__ import annotations

import http.client
import io
import sys
import time
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image
from processes import HEALTH, Program, Running, running, stop_when_told
from tables import print_table, tell_machine

UPLOADS, LARGE_PICTURES = 60, 20
PATIENCE = 150.0  # seconds: a large picture takes seconds on a small machine
MOST_MORE = 300  # MB
PUSH = "/displays/default/frame?publish=false"


def main() -> None:
    stop_when_told()
    tell_machine()
    noise, plain = picture_of_noise(), large_picture()
    command = (sys.executable, "-m", "pico_a1111_proxy", "serve", "--host", "127.0.0.1", "--port", "PORT")
    rows, more = [], 0.0
    for name, count, body in (("10 MB of noise", UPLOADS, noise), ("64 megapixels", LARGE_PICTURES, plain)):
        with running(Program("ours", command), HEALTH) as service:
            rest = service.memory("VmRSS")
            started = time.perf_counter()
            statuses = burst(service, count, body)
            seconds = time.perf_counter() - started
            peak = service.memory("VmHWM")
            if body is noise:
                more = peak - rest
            figures = (len(body) * count / 1e6, rest, peak, peak - rest)
            said = ", ".join(f"{times} x {status}" for status, times in sorted(statuses.items()))
            rows.append([f"{count} x {name}", *(f"{figure:.0f}" for figure in figures), f"{seconds:.1f}", said])
            if not set(statuses) <= {200, 503}:
                sys.exit(f"Not every answer was a picture or a 503: {said}")
    head = ["at once", "MB sent", "at rest, MB", "peak, MB", "more, MB", "s", "answers"]
    print_table("Resident memory of the service", head, rows)
    if more > MOST_MORE:
        sys.exit(f"The uploads took {more:.0f} MB more, over {MOST_MORE}")


def burst(service: Running, count: int, body: bytes) -> Counter[int]:
    with ThreadPoolExecutor(count) as clients:
        return Counter(clients.map(lambda _: push(service, body), range(count)))


def push(service: Running, body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
    try:
        connection.request("POST", PUSH, body)
        return connection.getresponse().status
    except (BrokenPipeError, ConnectionResetError):
        return 503  # it was refused while it still sent, and its answer was lost with the rest
    finally:
        connection.close()


def picture_of_noise() -> bytes:
    """A PNG of just under 10 MB, which nothing makes smaller."""
    pixels = np.random.default_rng(1).integers(0, 256, (1820, 1820, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def large_picture() -> bytes:
    """A PNG of 8000x8000 pixels, the most that is decoded."""
    file = io.BytesIO()
    Image.new("RGB", (8000, 8000), (30, 60, 90)).save(file, "PNG", compress_level=zlib.Z_BEST_SPEED)
    return file.getvalue()


if __name__ == "__main__":
    main()
