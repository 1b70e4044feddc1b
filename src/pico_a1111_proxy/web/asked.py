"""Asked: what a relayed request asks of the upstream, read as servers on the way up would read it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from starlette.types import Scope

from pico_a1111_proxy import controls
from pico_a1111_proxy.jobs import Route
from pico_a1111_proxy.web.bases import ORIGINAL, split_base

PREFIXES = ("/sdapi/", "/internal/", "/controlnet/")

_GENERATIONS: dict[str, Route] = {"/sdapi/v1/txt2img": "txt2img", "/sdapi/v1/img2img": "img2img"}

# The others by the last segment of their path.
_TAKE_PICTURES = frozenset(
    (
        *("png-info", "extra-single-image", "extra-batch-images", "interrogate"),
        *("detect", "txt2img", "img2img"),  # ControlNet's
        *("preprocess", "control"),  # SD.Next's
        "sam-predict",  # Segment Anything's
    )
)
_GENERATE = frozenset({"txt2img", "img2img", "control"})
_FLAGS = "cmd-flags"
_TELL_SECRETS = frozenset({_FLAGS, "sysinfo", "sysinfo-download"})


@dataclass(frozen=True)
class Asked:
    """A request's method and base URL, its `target` as it goes up, and the `path` of that without percent signs.

    `client` is who asks.
    """

    method: str
    base: str
    path: str
    target: str
    client: str = ""

    @classmethod
    def read(cls, scope: Scope) -> Asked:
        """What an ASGI scope asks."""
        base, written = split_base(scope["raw_path"].decode("latin-1"))
        query = scope["query_string"].decode("latin-1")
        target = f"{written}?{query}" if query else written
        # Twice, as a second server on the way may read it; a good path has no percent sign left after once.
        client = scope["state"].get("client", "")
        return cls(scope["method"], base, unquote(unquote(written)), target, client)

    @property
    def display(self) -> str | None:
        """The display that the base URL names."""
        _, _, name = self.base.partition("/displays/")
        return unquote(name) or None

    @property
    def is_ambiguous(self) -> bool:
        """Whether a server might read the target otherwise than it is read here; without its slash, as another host."""
        # Some servers cut the parameters off every segment.
        segments = [segment.partition(";")[0] for segment in self.path.removesuffix("/").split("/")[1:]]
        odd = "#" in self.target or "\\" in self.path or "%" in self.path or not self.path.isprintable()
        return odd or not self.target.startswith("/") or bool({".", "..", ""} & set(segments))

    @property
    def generation(self) -> Route | None:
        """What it generates below `/original`, where no route of ours reads it."""
        generates = self.method == "POST" and self.base == ORIGINAL
        return _GENERATIONS.get(self.path.rstrip("/")) if generates else None

    @property
    def generates_apart(self) -> bool:
        """Whether it generates at another route than A1111's: one of SD.Next's, or of an older ControlNet's."""
        return self.method == "POST" and self.path.startswith(PREFIXES) and self._last_segment in _GENERATE

    @property
    def is_koboldcpps(self) -> bool:
        """Whether koboldcpp, which looks at the end of path and query alone, would take it for another route."""
        if self.method != "POST" or self.generation or not self.path.startswith(PREFIXES):
            return False
        ends = (self.path.rstrip("/"), self.target.rstrip("/"))
        return any(end.endswith((*_GENERATIONS, "/images/generations")) or "/api/" in end for end in ends)

    @property
    def takes_pictures(self) -> bool:
        """Whether there are pictures in its body, and the upstream would fetch one that is an address."""
        return self._last_segment in _TAKE_PICTURES

    @property
    def ends_the_server(self) -> bool:
        """Whether it stops or restarts the web UI."""
        return self._last_segment in controls.ENDS_THE_SERVER

    @property
    def changes_the_pictures(self) -> bool:
        """Whether the same words may give other pictures after it."""
        return self.method not in controls.READS and controls.changes_the_pictures(self._last_segment)

    @property
    def ends_the_drawing(self) -> bool:
        """Whether it ends a drawing before its time."""
        return self.method not in controls.READS and self._last_segment in controls.ENDS_THE_DRAWING

    @property
    def wants_flags(self) -> bool:
        """Whether the answer is A1111's flags by name."""
        return self._last_segment == _FLAGS

    @property
    def tells_secrets(self) -> bool:
        """Whether A1111's command line is in the answer."""
        return self._last_segment in _TELL_SECRETS

    @property
    def _last_segment(self) -> str:
        """The path's, without what servers cut off or overlook: parameters, a slash, capitals."""
        return re.split("[;?#]", self.path.rstrip("/").rpartition("/")[2])[0].strip().lower()
