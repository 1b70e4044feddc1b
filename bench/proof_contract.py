"""The contract: schemathesis, with all of its checks, finds nothing where the service and its /openapi.json differ.

Compares what the service answers with what its document says, without keys and with one, and ends with a document
that is wrong on purpose, in which something must be found. Exits with 1 where any of that is otherwise.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image
from processes import HEALTH, Running, proxy, running, stop_when_told
from tables import print_table, tell_machine

HERE = Path(__file__).parent
KEY = "a-key-of-the-proof"
PATIENCE = 300  # seconds for one run, which takes ten
LONGEST_WAIT = 0.01  # seconds that GET /displays/NAME/frame is let wait

# A run of schemathesis loads this file for the hooks below, and tells them by this whether the document is to be wrong.
WRONG = "PROOF_CONTRACT_WRONG"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--examples", type=int, default=25, help="requests that are made up for each route")
    options.add_argument("--seed", type=int, default=1, help="of what is made up")
    given = options.parse_args()
    if find_spec("schemathesis") is None:
        sys.exit("It needs schemathesis: pip install -r bench/requirements.txt")
    stop_when_told()
    tell_machine()
    with drawing() as upstream:
        plain = proxy("without keys", upstream)
        locked = replace(plain, environment={**plain.environment, "SERVICE_API_KEY": KEY})
        rows, good = [], True
        for title, program, header, wrong in (
            ("without keys", plain, None, False),
            ("with a key", locked, f"X-API-Key: {KEY}", False),
            ("a document that forgets 404", plain, None, True),
        ):
            with running(program, HEALTH) as service:
                started = time.perf_counter()
                found, said = check(service, given, header, wrong=wrong)
            seconds = time.perf_counter() - started
            as_it_should_be = bool(found) == wrong and said.returncode == (1 if wrong else 0)
            good &= as_it_should_be
            cases = re.search(r"(\d+) generated", said.stdout)
            asked = cases[1] if cases else "none"
            rows.append([title, asked, str(found), "some" if wrong else "0", f"{seconds:.0f}"])
            if not as_it_should_be:
                print(said.stdout, said.stderr)
    head = ["document and service", "requests", "differences", "wanted", "s"]
    print_table(f"schemathesis {version('schemathesis')}, all checks", head, rows)
    sys.exit(not good)


def check(
    service: Running, given: argparse.Namespace, header: str | None, *, wrong: bool
) -> tuple[int, subprocess.CompletedProcess[str]]:
    """How many differences schemathesis finds, and all that it said."""
    address = f"http://127.0.0.1:{service.port}/openapi.json"
    command = [sys.executable, "-m", "schemathesis.cli", "run", address, "--checks", "all", "--no-color"]
    command += ["--max-examples", str(given.examples), "--seed", str(given.seed), "--generation-database", "none"]
    command += ["--continue-on-failure", "--request-timeout", "30", "--suppress-health-check", "all"]
    command += ["--header", header] if header else []
    environment = {"SCHEMATHESIS_HOOKS": Path(__file__).stem, WRONG: "1" if wrong else ""}
    said = subprocess.run(
        command,
        cwd=HERE,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return len(re.findall(r"^- ST\d+ ", said.stdout, re.MULTILINE)), said


# --- The upstream


def picture(form: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 90, 30)).save(out, form)
    return out.getvalue()


class Drawing(BaseHTTPRequestHandler):
    """An upstream that always draws the same, and is in the midst of it every other time that it is asked."""

    looks = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            good = isinstance(json.loads(body), dict)
        except ValueError:
            good = False
        if not good:  # with ?answer=original the upstream is the one that says so
            self._say({"detail": [{"type": "json_invalid", "loc": ["body", 0], "msg": "JSON decode error"}]}, 422)
            return
        info = json.dumps({"seed": 1, "all_seeds": [1], "index_of_first_image": 0})
        self._say({"images": [self._text()], "parameters": {}, "info": info})

    def do_GET(self) -> None:
        if "progress" not in self.path:
            self._say([{"name": "Euler", "aliases": [], "options": {}}])
            return
        Drawing.looks += 1
        state = {"job_count": 1, "sampling_step": 5, "sampling_steps": 20}
        image = self._text() if Drawing.looks % 2 else None
        self._say({"progress": 0.25, "eta_relative": 3.0, "state": state, "current_image": image, "textinfo": None})

    def log_message(self, *_: Any) -> None:
        pass

    def _text(self) -> str:
        return base64.b64encode(picture("PNG")).decode()

    def _say(self, document: Any, status: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def drawing() -> Iterator[int]:
    """The port of an upstream that draws."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Drawing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


# --- Hooks: what a document can't say, and schemathesis has to be told


def tell_schemathesis() -> None:
    import schemathesis  # noqa: PLC0415  where it is needed, it is there
    from hypothesis import strategies  # noqa: PLC0415

    # Bodies of image/png that are pictures: to be one is nothing that a schema can ask for.
    for kind in ("png", "jpeg", "webp", "gif", "bmp"):
        schemathesis.openapi.media_type(f"image/{kind}", strategies.just(picture(kind)))

    @schemathesis.hook
    def before_call(context: Any, case: Any, kwargs: Any) -> None:
        # A good `wait` is waited, and a good `index` has to be that of a picture.
        query = case.query or {}
        if re.fullmatch(r"\d+", str(query.get("index"))):
            query["index"] = 0
        if re.fullmatch(r"[1-5]?\d(\.\d+)?|60(\.0+)?", str(query.get("wait"))):
            query["wait"] = LONGEST_WAIT

    @schemathesis.hook
    def before_load_schema(context: Any, raw_schema: Any) -> None:
        if os.environ.get(WRONG):
            for methods in raw_schema["paths"].values():
                for operation in methods.values():
                    operation["responses"].pop("404", None)


if __name__ == "__main__":
    main()
elif WRONG in os.environ:
    tell_schemathesis()
