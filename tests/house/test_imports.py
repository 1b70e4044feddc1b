"""Imports: what starts without the web server, and the service without what is optional."""

from __future__ import annotations

import subprocess
import sys

import pytest

SERVER = ["uvicorn", "fastapi", "starlette", "h11"]
OPTIONAL = ["kornia_rs", "celery", "redis"]

# Put before anything else is imported: what is named there can't be found, as if it were not installed.
BLOCK = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
"""

READ_A_PICTURE = """
import io
from PIL import Image
from pico_a1111_proxy.pictures import decode
png = io.BytesIO()
Image.new("RGB", (3, 2), (1, 2, 3)).save(png, "PNG")
assert decode(png.getvalue()).tobytes() == bytes((1, 2, 3)) * 6
"""


def python(program: str) -> str:
    """Run `program` in a Python of its own and give what it printed. Fails if it fails."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported_by(module: str) -> set[str]:
    return set(python(f"import sys, {module}; print(*sys.modules)").split())


@pytest.mark.parametrize(
    ("module", "without"),
    [
        ("pico_a1111_proxy.cli", [*SERVER, *OPTIONAL, "aiohttp", "structlog"]),
        ("pico_a1111_proxy.pictures", [*SERVER, *OPTIONAL, "aiohttp", "structlog", "pydantic", "asyncio"]),
        ("pico_a1111_proxy.web.app", [*OPTIONAL, "pico_a1111_proxy.upstreams.demo"]),
    ],
)
def test_importing_one_does_not_import_the_other(module: str, without: list[str]) -> None:
    loaded = imported_by(module)
    assert module in loaded
    assert loaded & set(without) == set()


def test_the_service_is_built_without_anything_optional() -> None:
    python(
        BLOCK.format(names=OPTIONAL)
        + "from pico_a1111_proxy.settings import read_settings\n"
        + "from pico_a1111_proxy.web.app import create_app\n"
        + "create_app(read_settings(None))\n"
        + READ_A_PICTURE
        + "assert not [name for name in sys.modules if name.startswith('kornia_rs')]\n"
    )


def test_the_fast_reader_is_used_where_it_is_installed() -> None:
    pytest.importorskip("kornia_rs")
    python(READ_A_PICTURE + "import sys; assert 'kornia_rs' in sys.modules")


def test_a_blocked_module_can_not_be_imported() -> None:
    with pytest.raises(AssertionError, match="No module named 'click'"):
        python(BLOCK.format(names=["click"]) + "import pico_a1111_proxy.cli")
