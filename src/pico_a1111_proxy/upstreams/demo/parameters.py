"""Parameters: what one job asks the demo painter for, within what one machine can paint in a reasonable time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from pico_a1111_proxy.errors import PictureError, UpstreamRejected
from pico_a1111_proxy.jobs import Job, decode_base64
from pico_a1111_proxy.pictures import decode
from pico_a1111_proxy.upstreams.demo.fields import error_answer, invalid_image, read_fields, refuse, refuse_value
from pico_a1111_proxy.upstreams.demo.painting.painter import Picture, paint, repaint

SIDES = (8, 2048)  # pixels
STEPS = (1, 150)
MOST_PICTURES = 16


@dataclass(frozen=True)
class Parameters:
    """What one job asks for: all of A1111's `fields`, as they were read, and what of them can't be painted as it is.

    `width` and `height` are what is painted, and `start` the picture that img2img begins with at that size.
    """

    job: Job
    fields: dict[str, Any]
    width: int
    height: int
    start: Picture | None = None

    @classmethod
    def of(cls, job: Job) -> Parameters:
        """Read `job`. Raises UpstreamRejected, or UpstreamUnavailable where A1111 would answer 500."""
        _check_kind(job.content_type)
        fields = read_fields(job.route, job.body)
        _check_bounds(fields)
        parameters = cls(job, fields, fields["width"] // 8 * 8, fields["height"] // 8 * 8)
        return parameters if job.route == "txt2img" else replace(parameters, start=_read_start(parameters))

    @property
    def count(self) -> int:
        """How many pictures."""
        return int(self.fields["n_iter"] * self.fields["batch_size"])

    @property
    def steps(self) -> int:
        """How many steps each picture has."""
        return int(self.fields["steps"])

    def paint(self, seed: int) -> Picture:
        """Paint RGB (height, width, 3)."""
        prompt, negative = self.fields["prompt"], self.fields["negative_prompt"]
        if self.start is None:
            return paint(prompt, negative, seed, self.width, self.height)
        return repaint(self.start, self.fields["denoising_strength"], prompt, negative, seed)

    def echo(self) -> dict[str, Any]:
        """The fields as A1111 echoes them: pictures that were sent don't come back."""
        if self.job.route == "txt2img" or self.fields["include_init_images"]:
            return self.fields
        return {**self.fields, "init_images": None, "mask": None}


def _check_kind(content_type: str | None) -> None:
    """Raise UpstreamRejected where A1111 would not take the body for JSON."""
    kind = (content_type or "application/json").partition(";")[0].strip().lower()
    if not kind.startswith("application/") or not kind.endswith(("/json", "+json")):
        refuse({"loc": ["body"], "msg": "value is not a valid dict", "type": "type_error.dict"})


def _check_bounds(fields: dict[str, Any]) -> None:
    """Raise UpstreamRejected for what would take this machine too long."""
    for name, (least, most) in {"width": SIDES, "height": SIDES, "steps": STEPS}.items():
        if not least <= fields[name] <= most:
            refuse_value(name, f"the demo painter takes {least} to {most}, not {fields[name]}")
    batch, rounds = fields["batch_size"], fields["n_iter"]
    if batch < 1 or rounds < 1 or batch * rounds > MOST_PICTURES:
        words = f"the demo painter draws 1 to {MOST_PICTURES} pictures a request, not {rounds} times {batch}"
        refuse_value("batch_size", words)


def _read_start(parameters: Parameters) -> Picture:
    """The first init image at the size asked for, RGB (height, width, 3).

    A1111 answers 404 where there is none, and 500 where there is one that it can't read.
    """
    images = parameters.fields["init_images"]
    if not images:
        words = "Init image not found"
        raise UpstreamRejected(words, answer=error_answer(404, "HTTPException", words))
    data = decode_base64(images[0]) if isinstance(images[0], str) else None
    try:
        image = decode(data or b"")
    except PictureError as error:
        raise invalid_image("init_images", error) from error
    size = (parameters.width, parameters.height)
    mode = parameters.fields["resize_mode"]
    if mode == 1:
        return np.asarray(ImageOps.fit(image, size))
    if mode == 2:
        return np.asarray(ImageOps.pad(image, size))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS))
