"""The files in deploy/: they parse, say what the command knows, and take away what a station does not need."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
HEALTH = "/v2/health/live"


def service() -> dict[str, list[str]]:
    """Every key of the unit with its values."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "flawspot.service").read_text(encoding="utf-8").splitlines():
        if line and line[0] not in "#[":
            name, equals, value = line.partition("=")
            assert equals, line
            found.setdefault(name, []).append(value)
    return found


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines)]


def last(name: str) -> str:
    """The last instruction of that name, which is the one that counts."""
    return [rest for found, rest in instructions() if found == name][-1]


def composed() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="reads the file: pip install 'flawspot[benchmark]'")
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def commands() -> dict[str, list[str]]:
    """Every call of flawspot in these files, without its name."""
    found = {"service": shlex.split(service()["ExecStart"][0])[1:], "Dockerfile": json.loads(last("CMD"))}
    text = (DEPLOY / "README.md").read_text(encoding="utf-8")
    for number, line in enumerate(re.findall(r"(?:bin/flawspot|--rm station) (.*)", text)):
        found[f"README {number}"] = shlex.split(line)
    return found


@pytest.mark.parametrize(("place", "arguments"), commands().items(), ids=commands())
def test_what_is_called_is_what_the_command_takes(place, arguments):
    from typer.main import get_command

    from flawspot.cli.commands import app

    command: Any = get_command(app)
    while arguments and hasattr(command, "commands"):
        name, *arguments = arguments
        if name not in command.commands:
            pytest.skip(f"there is no `flawspot {name}` yet")
        command = command.commands[name]
    command.make_context("flawspot", list(arguments))  # parses, refuses what it does not know, and runs nothing


def test_the_container_s_command_is_its_image_s():
    assert composed()["services"]["station"]["command"] == json.loads(last("CMD"))


def test_the_service_may_do_little():
    said = service()
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "RestrictNamespaces"):
        assert said[name] == ["yes"]
    assert said["ProtectSystem"] == ["strict"]
    assert said["User"] == said["Group"] == said["StateDirectory"] == ["flawspot"]
    assert said["CapabilityBoundingSet"] == [""]
    assert said["Restart"] == ["on-failure"]
    assert "143" in said["SuccessExitStatus"][0].split()
    assert {"MemoryMax", "TimeoutStopSec"} <= said.keys()
    assert said["OOMPolicy"] == ["continue"]  # an update that takes too much does not end the station
    secrets = {value.partition(":")[0] for value in said["LoadCredential"]}
    assert secrets == set(re.findall(r"%d/(\S+)", said["ExecStart"][0]))


def test_the_service_leaves_open_files_for_all_connections():
    pytest.importorskip("uvicorn", reason="the station needs pip install 'flawspot[serve]'")
    from flawspot.serve.guard import Limits

    wanted = Limits().connections + 128
    assert int(service()["LimitNOFILE"][0]) >= wanted
    assert composed()["services"]["station"]["ulimits"]["nofile"] >= wanted


def test_systemd_takes_the_service(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    unit = tmp_path / "flawspot.service"
    text = (DEPLOY / "flawspot.service").read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/flawspot/bin/flawspot", "/bin/true"), encoding="utf-8")  # which is there
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if unit.name in line]
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.read_string(text)
    assert parser.sections() == ["Unit", "Service", "Install"]


def test_the_image_runs_as_nobody_special_and_holds_no_torch():
    assert last("USER") == "flawspot"
    installed = [rest for name, rest in instructions() if name == "RUN" and "pip" in rest]
    assert [json.loads(rest)[-1] for rest in installed] == [".[serve]"]
    for name, rest in instructions():
        if name in ("RUN", "CMD", "ENTRYPOINT", "VOLUME"):
            assert all(isinstance(part, str) for part in json.loads(rest)), "no shell"


def test_the_image_takes_the_sources_that_are_let_in():
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    copied = [rest.split()[:-1] for name, rest in instructions() if name == "COPY" and not rest.startswith("--from")]
    for source in [name for names in copied for name in names]:
        assert f"!{source}" in allowed
        assert (DEPLOY.parent / source).exists()


def test_the_health_check_asks_the_station_by_python_alone():
    call = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    assert call[:2] == ["python", "-c"]
    compile(call[2], "health", "exec")
    assert HEALTH in call[2]
    port = json.loads(last("CMD"))[-1]
    assert f"'127.0.0.1', {port}" in call[2]
    assert last("EXPOSE") == port


def test_the_health_check_tells_well_from_unwell(tmp_path):
    pytest.importorskip("uvicorn", reason="the station needs pip install 'flawspot[serve]'")
    import sys

    from flawspot.serve.guard import Guard
    from flawspot.serve.guard.server import running, server

    code = json.loads(last("HEALTHCHECK").partition("CMD ")[2])[2]

    async def application(scope, receive, send):
        status = 200 if scope["path"] == HEALTH and well else 503
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    async def with_life(scope, receive, send):
        if scope["type"] == "http":
            await application(scope, receive, send)
            return
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})

    def checked() -> int:
        call = [sys.executable, "-c", code.replace("8080", str(made.port))]
        return subprocess.run(call, capture_output=True, check=False).returncode

    well, made = True, server(Guard(with_life))
    with running(made):
        assert checked() == 0
        well = False
        assert checked() == 1
    assert checked() == 1


def test_the_container_may_do_little():
    station = composed()["services"]["station"]
    assert station["read_only"] is True
    assert station["cap_drop"] == ["ALL"]
    assert station["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in station["ports"])
    assert station["tmpfs"][0].startswith("/tmp:")
    writable = [volume for volume in station["volumes"] if not volume.endswith(":ro")]
    assert writable == ["station:/var/lib/flawspot"]
    assert not station.get("privileged")


def test_the_certificate_of_the_readme_serves(tmp_path):
    pytest.importorskip("uvicorn", reason="the station needs pip install 'flawspot[serve]'")
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    from flawspot.serve.guard.listening import TLS

    text = (DEPLOY / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    line = next(line for line in text.splitlines() if line.startswith("openssl req"))
    call = shlex.split(line.replace("/etc/flawspot", str(tmp_path)))
    subprocess.run(call, check=True, capture_output=True)
    TLS(tmp_path / "certificate.pem", tmp_path / "key.pem").context()
