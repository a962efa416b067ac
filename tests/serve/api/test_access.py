import pytest

from flawspot.serve.api.app import routes
from flawspot.serve.tokens import Role, Tokens

from ..conftest import grey, serving

OPEN = ("/login", "/logout", "/static/{name}", "/v2/health/live", "/v2/health/ready", "/v2/models/{name}/ready")
OPEN += ("/v2/models/{name}/versions/{version}/ready", "/openapi.json")


@pytest.mark.parametrize("route", routes(), ids=lambda route: f"{sorted(route.methods)[-1]} {route.path}")
@pytest.mark.grid(10)
def test_without_a_token_nothing_is_shown_or_done(guarded, route):
    served, _ = guarded
    if route.path in OPEN:
        return
    path = route.path.replace("{number}", "1").replace("{name}", "tiny").replace("{picture}", "0" * 64)
    path = path.replace("{version}", "1")
    method = "POST" if "POST" in route.methods else "GET"
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Cookie": "flawspot_token=wrong"},
        {"Authorization": "Basic x"},
    ):
        answer = served.ask(method, path, b"x" if method == "POST" else None, headers=headers)
        assert answer.status == 401 or (answer.status == 303 and answer.headers["location"] == "/login"), path
    assert not served.station.record.results()


@pytest.mark.parametrize("route", routes(), ids=lambda route: f"{sorted(route.methods)[-1]} {route.path}")
@pytest.mark.grid(10)
def test_with_damaged_tokens_nobody_gets_in_and_all_are_told_why(guarded, route, caplog):
    served, tokens = guarded
    if route.path in OPEN and route.path != "/login":
        return
    (served.station.settings.folder / "tokens.json").write_text("damaged")
    method = "POST" if "POST" in route.methods else "GET"
    body = f"token={tokens['engineer']}".encode() if method == "POST" else None
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = served.ask(method, route.path, body, token=tokens["engineer"], headers=headers)
    assert (answer.status, "nobody gets in" in answer.json["error"]) == (409, True)
    assert not caplog.records


@pytest.mark.parametrize(
    ("role", "may"), [("viewer", (True, False, False)), ("operator", (True, True, False)), ("engineer", (True,) * 3)]
)
def test_each_role_may_what_it_may(guarded, role, may):
    served, tokens = guarded
    token = tokens[role]
    asked = (
        served.get("/v1/results", token=token),
        served.post("/v1/predict", grey(50), token=token),
        served.get("/v1/confirmed.zip", token=token),
    )
    assert tuple(answer.status != 403 for answer in asked) == may


def test_a_removed_token_ends_at_once(guarded):
    served, tokens = guarded
    assert served.get("/v1/status", token=tokens["viewer"]).status == 200
    Tokens(served.station.settings.folder / "tokens.json").remove("viewer")
    assert served.get("/v1/status", token=tokens["viewer"]).status == 401


def test_the_first_token_ends_that_everybody_may_and_the_last_one_brings_it_not_back(station):
    tokens = Tokens(station.settings.folder / "tokens.json")
    with serving(station, tokens) as served:
        assert served.get("/v1/me").json["role"] == "engineer"
        token = Tokens(tokens.path).add("anna", Role.OPERATOR)
        assert served.get("/v1/me").status == served.post("/v1/predict", grey(50)).status == 401
        assert served.get("/v1/me", token=token).json["role"] == "operator"
        Tokens(tokens.path).remove("anna")
        assert served.get("/v1/me").status == served.get("/v1/me", token=token).status == 401
        tokens.path.unlink()
        assert served.get("/v1/me").status == 401


def test_a_person_s_name_is_in_the_record(guarded):
    served, tokens = guarded
    number = served.post("/v1/predict", grey(50), token=tokens["operator"]).json["number"]
    said = served.post(f"/v1/results/{number}/words", {"word": "hold"}, token=tokens["operator"]).json
    assert (said["by"], said["role"]) == ("operator", "operator")
    assert served.get("/v1/me", token=tokens["viewer"]).json == {"name": "viewer", "role": "viewer"}


def test_a_browser_logs_in_and_out(guarded):
    served, tokens = guarded
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    wrong = served.post("/login", b"token=wrong", headers=form)
    assert wrong.headers["location"] == "/login?wrong=1#wrong"
    assert "set-cookie" not in wrong.headers
    right = served.post("/login", f"token={tokens['operator']}".encode(), headers=form)
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    sent = {"Cookie": cookie.partition(";")[0]}
    assert served.get("/v1/me", headers=sent).json["name"] == "operator"
    # A page of another site cannot act in the name of this one.
    for foreign in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert served.post("/v1/predict", grey(50), headers={**sent, **foreign}).status == 403
    assert not served.station.record.results()


def test_pages_and_answers_carry_their_protection(served):
    for path in ("/v1/status", "/openapi.json"):
        headers = {name.lower(): value for name, value in served.get(path).headers.items()}
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    assert served.get("/v1/status", headers={"Host": "evil.example"}).status in (400, 421)


def test_the_description_names_every_path(served):
    described = served.get("/openapi.json").json
    assert described["openapi"].startswith("3.1")
    assert set(described["paths"]) == {route.path for route in routes()}
    assert all(each["summary"] for methods in described["paths"].values() for each in methods.values())
