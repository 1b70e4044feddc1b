"""Rendering: what goes back, the frames that a job wants of a generation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.errors import BadRequest, PictureError, UpstreamNonsense
from pico_a1111_proxy.frames import Frame, convert
from pico_a1111_proxy.jobs import Generation, Job

Origin = Literal["miss", "joined", "hit"]


@dataclass(frozen=True)
class Rendering:
    """What goes back: the frames, in order, and what the upstream said beside its pictures.

    `picture` is the one that frames[chosen] was made of, encoded; empty with no frames. `count` is how many pictures
    the upstream made and `seed` what it drew this one with, None where nobody knows. `answer` is the upstream's own,
    None where it is not kept. `origin` is what X-Cache says.
    """

    parameters: dict[str, Any]
    info: dict[str, Any]
    count: int = 0
    answer: Answer | None = None
    frames: tuple[Frame, ...] = ()
    chosen: int = 0
    picture: bytes = b""
    seed: int | None = None
    origin: Origin = "miss"

    @property
    def frame(self) -> Frame:
        """The one that is sent where one is sent."""
        return self.frames[self.chosen]

    @property
    def size(self) -> int:
        """Bytes, about, without the upstream's answer."""
        # An img2img's parameters hold the picture it began with.
        said = len(repr(self.parameters)) + len(repr(self.info))
        return len(self.picture) + sum(len(frame.data) for frame in self.frames) + said


def develop(job: Job, generation: Generation) -> Rendering:
    """Make the frames that `job` wants of `generation`. Takes long; raises ProxyError."""
    if job.wanted == "none":
        return Rendering(generation.parameters, generation.info, answer=generation.answer)
    if not generation.pictures:
        _explain_no_picture(generation)
    index = _choose(job.index if job.wanted == "one" else None, generation)
    wanted = generation.pictures if job.wanted == "all" else (index,)
    picture = generation.picture(index)
    # One after the other: what is decoded of the others need not be held together.
    frames = tuple(convert(picture if i == index else generation.picture(i), job.display) for i in wanted)
    return Rendering(
        generation.parameters,
        generation.info,
        len(generation.pictures),
        generation.answer,
        frames,
        wanted.index(index),
        picture,
        generation.seed(index),
    )


def _choose(index: int | None, generation: Generation) -> int:
    if index is None:
        # Extensions may have put a string that is no picture where A1111 says the first image is.
        return next((i for i in generation.pictures if i >= generation.first), generation.pictures[0])
    if index not in generation.pictures:
        good = ", ".join(map(str, generation.pictures))
        raise BadRequest(f"index: {index} is no picture of this answer; good ones are {good}")
    return index


def _explain_no_picture(generation: Generation) -> None:
    if any(isinstance(image, str) and image.strip() for image in generation.images):
        raise PictureError("Failed to process image: none of the upstream's images is a picture")
    raise UpstreamNonsense("The upstream's answer holds no picture", answer=generation.answer)
