"""The service as the plan writes it, with FastAPI, httpx and the getpixel loop; run by `uvicorn plan_service:app`."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx  # noqa: TID251 - the plan's client
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import Response
from plan_loop import png_to_pico_rgb565
from pydantic import HttpUrl
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    a1111_base_url: HttpUrl
    a1111_username: str | None = None
    a1111_password: str | None = None
    a1111_timeout: int = 60
    target_width: int = 240
    target_height: int = 240
    luminance_invert: bool = True


settings = Settings()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    auth = None
    if settings.a1111_username and settings.a1111_password:
        auth = (settings.a1111_username, settings.a1111_password)
    base_url = str(settings.a1111_base_url)
    async with httpx.AsyncClient(base_url=base_url, auth=auth, timeout=settings.a1111_timeout) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/sdapi/v1/txt2img")
async def txt2img(payload: dict[str, Any], request: Request) -> Response:
    try:
        answer = await request.app.state.client.post("/sdapi/v1/txt2img", json=payload)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise HTTPException(502, "Upstream A1111 service unavailable") from error
    png = base64.b64decode(answer.json()["images"][0])
    width, height = settings.target_width, settings.target_height
    frame = png_to_pico_rgb565(png, width, height, settings.luminance_invert)
    headers = {"X-Image-Width": str(width), "X-Image-Height": str(height), "X-Image-Format": "rgb565-be"}
    return Response(frame, headers=headers, media_type="application/octet-stream")
