"""Job and Generation: what is asked, and what an upstream makes of it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeGuard

import orjson
import pybase64

from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.errors import PictureError, UpstreamNonsense
from pico_a1111_proxy.pictures import kind_of

Route = Literal["txt2img", "img2img"]
Wanted = Literal["none", "one", "all"]
Caching = Literal["use", "renew", "avoid"]
Priority = Literal["interactive", "background"]

LARGEST_SEED = 2**64
MOST_IMAGES = 1000  # in one answer; A1111 draws 800 at the most, and their grids
HEAD_CHARACTERS = 64  # base64 characters that are enough to know a picture by its first bytes


@dataclass(frozen=True)
class Job:
    """What one client asked for: a generation, and what to make of its pictures.

    `body` is A1111's JSON as it goes to the upstream. `query` is what the client's query held beside
    our own options, without the `?`. `index` says which picture, when one is wanted; None is the
    first that is no grid. `content_type` is what the body goes up as; None says nothing of it.

    `key` is equal for jobs whose generations may stand for each other, None where nobody can tell; those whose seed is
    given are `repeatable`. `caching` is what the client says of what was drawn before: use it, renew it, or avoid it
    altogether. `client` is whose job it is, and `patience` for how many seconds it may stand in line; in the line of a
    fleet the `background` ones come after all others. One that `changes_options` leaves others behind.
    """

    route: Route
    body: bytes
    display: Display
    wanted: Wanted = "one"
    index: int | None = None
    query: str = ""
    content_type: str | None = "application/json"
    key: str | None = None
    repeatable: bool = False
    caching: Caching = "use"
    client: str = ""
    patience: float = math.inf
    priority: Priority = "interactive"
    changes_options: bool = False


@dataclass(frozen=True)
class Progress:
    """How far the picture being drawn is: `fraction` from 0 to 1, `picture` encoded, if there is one."""

    fraction: float = 0.0
    eta_seconds: float = 0.0
    step: int = 0
    steps: int = 0
    picture: bytes | None = None

    @property
    def busy(self) -> bool:
        """Whether anything is being drawn."""
        return self.steps > 0

    def as_a1111(self) -> dict[str, Any]:
        """As A1111 tells it."""
        state = {"job_count": int(self.busy), "job_no": 0, "sampling_step": self.step, "sampling_steps": self.steps}
        return {
            "progress": self.fraction,
            "eta_relative": self.eta_seconds,
            "state": {"skipped": False, "interrupted": False, "job": "", "job_timestamp": "0", **state},
            "current_image": pybase64.b64encode(self.picture).decode() if self.picture else None,
            "textinfo": None,
        }


@dataclass(frozen=True)
class Generation:
    """An upstream's answer to a Job, read tolerantly: what other servers leave out is empty here.

    `images` holds what `images` held, in order, grid and strings that are no pictures included.
    """

    answer: Answer
    images: tuple[Any, ...]
    parameters: dict[str, Any]
    info: dict[str, Any]

    @classmethod
    def read(cls, answer: Answer) -> Generation:
        """Read `answer.body` as A1111's JSON. Raises UpstreamNonsense if it holds no list `images`."""
        document = read_json(answer.body)
        if not isinstance(document, dict):
            raise UpstreamNonsense("The upstream's answer is not a JSON object", answer=answer)
        images = document.get("images")
        if not isinstance(images, list):
            raise UpstreamNonsense("The upstream's answer holds no list of images", answer=answer)
        if len(images) > MOST_IMAGES:
            words = f"The upstream's answer holds {len(images)} images, more than {MOST_IMAGES}"
            raise UpstreamNonsense(words, answer=answer)
        parameters = document.get("parameters")
        return cls(
            answer=answer,
            images=tuple(images),
            parameters=parameters if isinstance(parameters, dict) else {},
            info=_read_info(document.get("info")),
        )

    @property
    def first(self) -> int:
        """Index of the first image that is no grid; 0 where the upstream does not say."""
        index = self.info.get("index_of_first_image")
        return index if _is_number(index) and 0 <= index < len(self.images) else 0

    @cached_property
    def pictures(self) -> tuple[int, ...]:
        """Indices of the images that are pictures: A1111's extensions put paths and videos there too."""
        return tuple(i for i, image in enumerate(self.images) if looks_like_picture(image))

    def picture(self, index: int) -> bytes:
        """The encoded picture at `index`, which must be one of `pictures`. Raises PictureError."""
        data = decode_base64(self.images[index])
        if data is None:  # only its first characters were looked at so far
            raise PictureError("Failed to process image: its base64 is damaged")
        return data

    def seed(self, index: int) -> int | None:
        """The seed that image `index` was drawn with, None where the upstream does not say."""
        seeds = self.info.get("all_seeds")
        nth = index - self.first
        seed = self.info.get("seed")
        if isinstance(seeds, list) and 0 <= nth < len(seeds):
            seed = seeds[nth]
        # A Pico reads headers into little memory: what is no seed of 64 bits is not told.
        return seed if _is_number(seed) and 0 <= seed < LARGEST_SEED else None


def read_json(text: bytes | str) -> Any:
    """Parse JSON; what orjson refuses but A1111 writes and takes (NaN, lone surrogates) is read too.

    Returns None for what is no JSON at all.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _read_info(info: Any) -> dict[str, Any]:
    """`info` is JSON text in A1111, an object in Xinference, empty in koboldcpp, absent in Draw Things."""
    if isinstance(info, str) and info:
        document = read_json(info)
        return document if isinstance(document, dict) else {"info": info}
    return info if isinstance(info, dict) else {}


def _is_number(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def looks_like_picture(image: Any) -> bool:
    """Whether it is a text whose first characters are base64 of a picture we know."""
    if not isinstance(image, str):
        return False
    start = image.find(",") + 1 if image.startswith("data:") else 0
    head = "".join(image[start : start + HEAD_CHARACTERS].split())
    data = decode_base64(head[: len(head) - len(head) % 4] or head)
    return data is not None and kind_of(data) is not None


def decode_base64(text: str) -> bytes | None:
    """Decode base64 as servers really write it: with a `data:` prefix, newlines or no padding.

    Returns None for what is no base64.
    """
    try:
        # The fast path of pybase64, which is as strict as it is fast.
        return pybase64.b64decode(text, validate=True)
    except ValueError:
        pass
    if text.startswith("data:"):
        text = text.partition(",")[2]
    text = "".join(text.split()).rstrip("=")
    try:
        return pybase64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return None
