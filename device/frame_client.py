"""The service's client for MicroPython: asks for frames, and puts them on the panel a few rows at a time.

A frame is never in memory as a whole: all that comes, headers too, goes through the panel's one band of rows. What
goes wrong is a FrameError, with a sentence that fits on the panel. CPython can run this as well.
"""

import json
import select
import socket
import time

ticks_ms = getattr(time, "ticks_ms", lambda: int(time.monotonic() * 1000))  # CPython has none
ticks_diff = getattr(time, "ticks_diff", lambda later, earlier: later - earlier)

_SLICE = 100  # milliseconds between two feeds of the watchdog, mostly
_LATER = (11, 35, 2, 3)  # errno of "nothing there yet"; 2 and 3 are what CPython's TLS says
_HEAD = "%s %s%s%s HTTP/1.0\r\nHost: %s:%d\r\nConnection: close\r\nAccept: application/octet-stream"
_BITS = {"rgb444": 12, "rgb666": 24, "rgb888": 24, "rgb332": 8, "gs8": 8}  # of a pixel; other formats have 16
_SIZES = ("x-image-width", "x-image-height", "x-image-format", "content-length")


class FrameError(Exception):
    """What went wrong: `status` in HTTP, or 0; `again` in how many seconds the same may work, or None if it won't."""

    def __init__(self, words, status=0, again=None):
        super().__init__("".join([max(letter, " ") for letter in words[:200]]))
        self.status, self.again = status, again


class FrameClient:
    """Asks the service at `url` for frames for `panel`.

    `key` is one of its SERVICE_API_KEY. `feed` is for a watchdog: it is called at least once a second, but while this
    looks for a name, and for the 4 seconds that connecting may take. The settings can be given by name, or set later.
    """

    timeout = 10  # seconds of silence after which a connection is given up
    patience = 300  # seconds that a drawing may take
    retries = 3  # how often a request is made again where that may help
    poll = 4  # seconds for which the service holds the question whether a job is done
    tls = None  # an SSLContext for https; without it MicroPython encrypts, but does not check who answers

    def __init__(self, url, panel, key=None, feed=None, **settings):
        """Raises ValueError for an address that is none, and TypeError for an unknown setting."""
        self.secure, self.host, self.port, self.base = _split(url)
        self.panel, self.key = panel, key
        self.feed = feed or (lambda: None)
        for name, value in settings.items():
            if not hasattr(self, name):
                raise TypeError("no such setting: " + name)
            setattr(self, name, value)
        self.place = None  # where the service is, as getaddrinfo says: a name is looked up once
        self.seed = None  # of the last frame, where the service knows it
        self.etag = None  # of the frame that the panel shows; set it to None when you draw over that

    def txt2img(self, prompt, **fields):
        """Draw a picture and show it, however long that takes. `fields` are those of A1111's txt2img."""
        self.wait(self.submit(prompt, **fields))

    def submit(self, prompt, **fields):
        """Have a picture drawn without waiting for it: gives back the job to `wait` for."""
        fields["prompt"] = prompt
        return self._ask(self._request("POST", "/sdapi/v1/txt2img", json.dumps(fields).encode()), self._job)

    def wait(self, job, show=None, live=False):
        """Wait for `job` and show its frame; with `live`, the drawing as it comes, if no other is being drawn.

        `show` is now and then given a dict: the job's state, position (in line), progress (0 to 1) and eta_seconds.
        """
        started = ticks_ms()
        while True:
            pause = 1 if live else self.poll
            told = self._ask(job + "/frame?wait=%d" % pause, self._show, pause)
            if not isinstance(told, dict):
                return
            if show:
                show(told)
            if live and told.get("live"):
                try:
                    self.progress()
                except FrameError:
                    live = False  # the picture still comes
            if ticks_diff(ticks_ms(), started) > self.patience * 1000:
                raise FrameError("not drawn within %d seconds" % self.patience, again=self.poll)

    def cancel(self, job):
        """Cancel `job`, and tell its state; a picture that nobody else waits for is not drawn any further."""
        return self._ask(self._request("DELETE", job), _Link.told).get("state")

    def progress(self):
        """Show what there is of the picture that is being drawn right now; tell whether there was anything."""
        shown = self._ask("/sdapi/v1/progress", self._show)
        self.etag = None if shown else self.etag  # half a picture is no frame to be compared with
        return shown

    def newest(self, wait=0):
        """Show the display's newest frame, unless it is there; tell whether it did. Waits up to `wait` seconds, 60."""
        return self._ask("/frame?wait=%d" % wait, self._show, wait)

    def pause(self, seconds):
        """Do nothing for so long but feed the watchdog."""
        for _ in range(int(seconds * 1000) // _SLICE):
            self.feed()
            time.sleep(_SLICE / 1000)
        self.feed()

    def _request(self, method, path, body=b""):
        # HTTP/1.0: the answer then comes in one piece.
        display = "" if path.startswith("/jobs/") else "/displays/" + self.panel.display
        lines = [_HEAD % (method, self.base, display, path, self.host, self.port)]
        if self.etag is not None and path.startswith("/frame"):
            lines.append("If-None-Match: " + self.etag)
        if self.key:
            lines.append("X-API-Key: " + self.key)
        if body:
            lines.append("Prefer: respond-async\r\nContent-Type: application/json\r\nContent-Length: %d" % len(body))
        return "\r\n".join(lines + ["\r\n"]).encode() + body

    def _ask(self, request, use, wait=0):
        # What `use` makes of the answer to a request's bytes, or to a GET's path; it may be held for `wait` seconds.
        left = self.retries
        while True:
            link = _Link(self)
            try:
                link.ask(request if isinstance(request, bytes) else self._request("GET", request), wait)
                return use(link)
            except FrameError as error:
                if link.sent and not error.status and request[:4] == b"POST":
                    error.again = None  # it may be on its way: asked again, the service would draw twice
                pause = error.again
                if pause is None or pause > 120 or not left:  # who is told to wait for longer, tells that
                    raise
            finally:
                if link.socket:
                    link.socket.close()
            left -= 1
            self.pause(pause)

    def _job(self, link):
        place = link.text("location")
        if link.status != 202 or place.find("/jobs/") < 0:
            raise FrameError("no job came: is this the service?", link.status)
        return place[place.find("/jobs/") :]

    def _show(self, link):
        # True once the frame is shown; False where there is none; what is told of a job that is not done.
        if link.status == 202:
            return link.told()
        if link.status in (204, 304, 404):
            return False
        total = left = self._check(link)
        self.etag = None
        self.panel.begin(self.panel.height)
        while left:
            size = min(left, len(link.band))
            if link.fill(size) < size:
                raise FrameError("cut off after %d of %d bytes" % (total - left + link.have, total), again=2)
            self.panel.write(link.band if size == len(link.band) else link.band[:size])
            link.have = 0
            left -= size
            self.feed()
        self.seed = link.number("x-image-seed", None)
        self.etag = link.text("etag") or None
        return True

    def _check(self, link):
        # The bytes that follow. Nothing has been drawn yet if this is no frame for the panel.
        panel, text = self.panel, link.text
        if not text("content-type").startswith("application/octet-stream"):
            raise FrameError("no frame came, but " + (text("content-type")[:40] or "something else"), 200)
        total = (panel.width * panel.height * _BITS.get(panel.format, 16) + 7) // 8
        wanted = "%dx%d %s of %d bytes" % (panel.width, panel.height, panel.format, total)
        came = "%sx%s %s of %s bytes" % tuple(text(name) or "?" for name in _SIZES)
        if came != wanted or text("transfer-encoding"):
            raise FrameError("not %s, but %s" % (wanted, came[:40]), 200)
        return total


class _Link:
    # One connection and the answer on it; `band[:have]` is what was read and not used yet.
    def __init__(self, client):
        self.client = client
        self.name = "%s:%d" % (client.host, client.port)
        self.silence = client.timeout
        self.band = memoryview(client.panel.band)
        self.have = self.status = 0
        self.sent = self.socket = None

    def ask(self, request, wait):
        self._connect(self.client.host, self.client.port)
        self.poll = select.poll()
        self.poll.register(self.socket, select.POLLOUT)
        write, rest = getattr(self.socket, "write", None) or self.socket.send, memoryview(request)
        while len(rest):
            rest = rest[self._now(write, rest) :]
            self.sent = True
        self.poll.modify(self.socket, select.POLLIN)
        self.silence += wait
        self._read_head()
        self.silence -= wait
        words = self.complaint() if self.status not in (200, 202, 204, 304) else ""
        none_yet = self.status == 404 and words.startswith("No picture")
        if words and not none_yet:
            again = max(1, self.number("retry-after", 5)) if self.status in (429, 503) else None
            raise FrameError(words, self.status, again)

    def _connect(self, host, port):
        client, words = self.client, "no address is known for " + host
        client.feed()
        try:
            client.place = client.place or socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
            words = self.name + " does not answer"
            client.feed()
            self.socket = socket.socket(client.place[0], client.place[1])
            self.socket.settimeout(min(4, self.silence))  # nothing is fed while this connects
            self.socket.connect(client.place[-1])
            client.feed()
            if client.secure:
                tls = client.tls or __import__("ssl")  # not every firmware has it
                self.socket = tls.wrap_socket(self.socket, server_hostname=host)
            self.socket.setblocking(False)
        except (OSError, ValueError, ImportError) as error:
            client.place = None
            again = None if isinstance(error, ImportError) else 2
            raise FrameError("%s (%s)" % (words, str(error).split("] ")[-1]), again=again)

    def _now(self, call, data):
        # What `call(data)` gives back, as soon as the socket is ready for it.
        started = ticks_ms()
        while True:
            self.client.feed()
            try:
                count = call(data)
                if count is not None:
                    return count
            except OSError as error:
                if error.args[0] not in _LATER:
                    raise FrameError("%s broke off (%s)" % (self.name, str(error).split("] ")[-1]), again=2)
            if ticks_diff(ticks_ms(), started) > self.silence * 1000:
                raise FrameError(self.name + " is silent", again=2)
            getattr(self.poll, "ipoll", self.poll.poll)(_SLICE)  # ipoll makes no garbage; CPython has none

    def fill(self, size):
        # Read until `size` bytes are there, or no more come; tell how many there are.
        count = 1
        while count and self.have < size:
            is_whole = size - self.have == len(self.band)  # a slice of it would only be garbage
            count = self._now(self.read, self.band if is_whole else self.band[self.have : size])
            self.have += count
        return self.have

    def _read_head(self):
        self.read = getattr(self.socket, "readinto", None) or self.socket.recv_into
        end = -1
        while end < 0:
            before = self.have
            self.have += self._now(self.read, self.band[before : before + 512])
            if self.have == before:
                raise FrameError(self.name + (" hung up" if before < len(self.band) else " sends too much"), again=2)
            self.head = bytes(self.band[: self.have])
            end = self.head.find(b"\r\n\r\n")
        self.lower = self.head[: end + 2].lower()  # in which names are looked up: they come in any case
        self.have -= end + 4  # what there is of the body
        self.band[: self.have] = self.band[end + 4 : end + 4 + self.have]
        if not self.head.startswith(b"HTTP/1.") or not self.head[9:12].isdigit():
            raise FrameError(self.name + " speaks no HTTP")
        self.status = int(self.head[9:12])

    def text(self, name):
        # The value of a header, "" where there is none.
        start = self.lower.find(("\n%s:" % name).encode()) + len(name) + 2
        value = self.head[start : self.lower.find(b"\r", start)].strip() if start > len(name) + 1 else b""
        return value.decode() if not value or max(value) < 128 else "?"

    def number(self, name, otherwise):
        return int(self.text(name)) if self.text(name).isdigit() else otherwise

    def told(self):
        # The JSON of a short answer, {} if it is none or breaks off.
        size = min(self.number("content-length", 512), 1024, len(self.band))
        try:
            told = json.loads(bytes(self.band[: min(self.fill(size), size)]))
        except (ValueError, FrameError):
            told = None
        return told if isinstance(told, dict) else {}

    def complaint(self):
        moved = self.text("location")
        words = "moved to " + moved if moved else self.told().get("error") or "HTTP %d" % self.status
        return str(words)


def _split(url):
    scheme, _, rest = (url if "://" in url else "http://" + url).partition("://")
    place, slash, base = rest.partition("/")
    host, _, port = place.partition(":")
    good = (port or "80").isdigit() and int(port or 80) in range(1, 65536)
    if scheme not in ("http", "https") or not host or not good:
        raise ValueError(url + " is no address such as http://192.168.1.50:8080")
    return scheme == "https", host, int(port or (443 if scheme == "https" else 80)), (slash + base).rstrip("/")
