"""What an upstream's headers tell of where it is, by the kind of its address."""

from __future__ import annotations

import pytest

from pico_a1111_proxy.upstreams.hiding import without_address

TELLING = [
    ("http://nas:7860", "Link", "<http://nas/x>; rel=next"),
    ("http://nas:7860", "X-Backend", "nas:7860"),
    ("http://nas", "X-Backend", "NAS:80"),
    ("http://nas", "Report-To", '{"url": "https://nas/report"}'),
    ("http://gpu.local:7860", "X-Host", "gpu.local"),
    ("http://gpu.local:7860", "WWW-Authenticate", 'Basic realm="GPU.local"'),
    ("http://gpu.local:7860", "X-Next", "http%253A%252F%252Fgpu.local%252Fx"),
    ("http://10.0.0.5:7860", "X-Host", "10.0.0.5"),
    ("http://10.0.0.5:7860", "Link", "<http://10.0.0.5:7861/x>"),
    ("http://[fd00::5]:7860", "X-Host", "[fd00::5]:7860"),
    ("http://nas", "Via", "1.1 something"),
    ("http://nas", "Alt-Svc", 'h2=":443"'),
]
INNOCENT = [
    ("http://app", "Content-Type", "application/json"),
    ("http://json", "Content-Type", "application/json"),
    ("http://on", "Content-Type", "application/json"),
    ("http://gzip", "Content-Encoding", "gzip"),
    ("http://web:80", "Accept-Patch", "image/webp"),
    ("http://store", "Cache-Control", "no-store"),
    ("http://nas:7860", "X-Where", "http://nastier/x"),
    ("http://gpu.local", "X-Where", "my-gpu.local"),
    ("http://gpu.local", "X-Where", "gpu.localhost"),
    ("http://10.0.0.5", "X-Version", "110.0.0.5"),
    ("http://10.0.0.5", "X-Version", "10.0.0.56"),
]
LOCATIONS = [
    ("http://nas:7860", "http://nas:7860/sdapi/v1/x?a=b#c", "/sdapi/v1/x?a=b#c"),
    ("http://nas:7860", "http://nas/x", "/x"),
    ("http://nas:7860", "HTTP://NAS:7860", "/"),
    ("http://nas:7860/sub", "/sub/x", "/x"),
    ("http://nas:7860/sub", "http://nas:7860/sub", "/"),
    ("http://nas:7860", "x/y", "x/y"),
    ("http://nas:7860", "?a=b", "?a=b"),
]
ELSEWHERE = [
    ("http://nas:7860", "http://other/x"),
    ("http://nas:7860", "//other/x"),
    ("http://nas:7860", "\\\\other/x"),
    ("http://nas:7860", "/\\other/x"),
    ("http://nas:7860", "http://nas:7860//other/x"),
    ("http://nas:7860/sub", "/sub//other"),
    ("http://nas:7860/sub", "/x"),
    ("http://nas:7860/sub", "/subway"),
    ("http://nas:7860", "http://[nas/x"),
    ("http://nas:7860", "javascript:alert(1)"),
    ("http://nas:7860", "/login?next=http://nas:7860/x"),
]


@pytest.mark.parametrize(("base", "name", "value"), TELLING)
def test_what_names_the_host_is_left_out(base: str, name: str, value: str) -> None:
    assert without_address(((name, value), ("X-Kept", "1")), base) == (("X-Kept", "1"),)


@pytest.mark.parametrize(("base", "name", "value"), INNOCENT)
def test_what_only_looks_like_it_stays(base: str, name: str, value: str) -> None:
    assert without_address(((name, value),), base) == ((name, value),)


@pytest.mark.parametrize(("base", "value", "led"), LOCATIONS)
def test_a_location_leads_back(base: str, value: str, led: str) -> None:
    assert without_address((("Location", value),), base) == (("Location", led),)


@pytest.mark.parametrize(("base", "value"), ELSEWHERE)
def test_a_location_that_leads_elsewhere_is_left_out(base: str, value: str) -> None:
    assert without_address((("location", value),), base) == ()


def test_a_cookie_loses_its_domain_and_nothing_else() -> None:
    cookies = (("Set-Cookie", "a=1; Domain=nas; Path=/; HttpOnly"), ("Set-Cookie", "b=domain=x"))
    kept = (("Set-Cookie", "a=1; Path=/; HttpOnly"), ("Set-Cookie", "b=domain=x"))
    assert without_address(cookies, "http://nas:7860") == kept
