"""The service that `docker compose up -d` starts, used through its published port."""

import http.cookiejar
import json
import re
import time
import urllib.parse
import urllib.request
from typing import Any

import pytest

from tests.containers.customer import Customer, asked
from tests.containers.stack import Stack
from tests.fido.processes import eventually

SECOND_UP_SECONDS = 60


def test_up_again_is_quick_and_changes_nothing(stack: Stack) -> None:
    before = {one["Service"]: one["ID"] for one in stack.containers()}

    seconds = stack.up()

    print(f"\nUp again in {seconds:.1f} s.")
    assert seconds < SECOND_UP_SECONDS
    assert {one["Service"]: one["ID"] for one in stack.containers()} == before


def test_down_and_up_again_is_quick_and_the_demonstration_is_there_once(stack: Stack) -> None:
    ada = Customer(stack.port, "ada", stack.secrets()["FIDO_DEMO_PASSWORD"])
    before = ada.analytics()

    stack.compose("down")
    seconds = stack.up()

    print(f"\nUp after a down in {seconds:.1f} s.")
    assert seconds < SECOND_UP_SECONDS
    assert ada.analytics() == before
    assert before["full_name"] == "Ada Lovelace"
    assert 300 < before["total_transactions"] < 1000
    assert "There are already users" in "\n".join(stack.logged("migrate"))


def test_a_newcomer_registers_logs_in_records_and_reads_exact_analytics(
    customer: Customer,
) -> None:
    for amount in ("0.10", "0.20"):
        customer.record(amount)

    told = customer.analytics()

    assert (told["total_transactions"], told["total_credit"]) == (2, "0.30")


def test_staff_log_in_to_the_admin_and_have_its_styles(stack: Stack) -> None:
    address = f"http://127.0.0.1:{stack.port}"
    cookies = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    page = _text(browser.open(f"{address}/admin/login/?next=/admin/"))
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    form = {"username": "admin", "password": stack.secrets()["FIDO_DEMO_PASSWORD"]}
    form |= {"csrfmiddlewaretoken": token[1], "next": "/admin/"}

    index = _text(browser.open(f"{address}/admin/login/", urllib.parse.urlencode(form).encode()))

    assert "Log out" in index
    styles = re.findall(r'href="(/static/[^"]+\.css)"', index)
    assert styles
    for path in styles:
        assert browser.open(address + path).headers["Content-Type"].startswith("text/css")


def _text(answer: Any) -> str:
    return str(answer.read().decode())


def test_the_docs_page_needs_nothing_from_elsewhere(stack: Stack) -> None:
    page = asked(stack.port, "GET", "/api/docs").content.decode()
    assets = re.findall(r'(?:src|href)="([^"]+)"', page)

    assert len(assets) >= 3
    for path in assets:
        assert path.startswith("/static/")
        answer = asked(stack.port, "GET", path, Accept_Encoding="gzip")
        assert answer.status == 200
        # Collected and compressed when the image was built.
        assert path.endswith(".png") or answer.headers["Content-Encoding"] == "gzip"


def test_a_worker_imports_what_a_web_process_has_taken(customer: Customer) -> None:
    rows = [f"2026-01-31,{n}.00,credit" for n in range(1, 101)]
    content = "\r\n".join(["transaction_date,transaction_amount,transaction_type", *rows])
    body = '--b\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\n'
    body += f"{content}\r\n--b--\r\n"

    answer = customer.ask(
        "POST", "/imports", body.encode(), Content_Type="multipart/form-data; boundary=b"
    )

    assert answer.status == 202, answer.content
    path = f"/imports/{json.loads(answer.content)['id']}"
    eventually(lambda: json.loads(customer.ask("GET", path).content)["status"] == "done")
    assert customer.analytics()["total_credit"] == "5050.00"


def test_every_line_of_the_logs_is_json_and_tells_the_request(stack: Stack) -> None:
    Customer(stack.port).ask("GET", "/users/me", X_Request_ID="seen-in-the-log-7")

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in stack.logged("web")]

    eventually(lambda: any(line.get("request_id") == "seen-in-the-log-7" for line in lines()))
    for service in ("worker", "beat"):
        assert all(json.loads(line)["event"] for line in stack.logged(service))


def test_metrics_count_all_processes_together(stack: Stack) -> None:
    bearer = f"Bearer {stack.secrets()['METRICS_TOKEN']}"
    for _ in range(10):
        asked(stack.port, "GET", "/livez")

    counts = [asked(stack.port, "GET", "/metrics", Authorization=bearer) for _ in range(4)]

    pattern = rb'fido_request_seconds_count\{method="GET",route="livez",status="200"\} (\d+)'
    found = [int(re.findall(pattern, answer.content)[0]) for answer in counts]
    assert min(found) >= 10
    assert asked(stack.port, "GET", "/metrics").status in {401, 403, 404}


def test_nothing_but_its_volumes_can_be_written_to(stack: Stack) -> None:
    for service in ("web", "worker", "beat"):
        host = stack.container(service)["HostConfig"]
        assert host["ReadonlyRootfs"]
        assert (host["CapDrop"], host["Memory"] > 0, host["NanoCpus"] > 0) == (["ALL"], True, True)
        with pytest.raises(AssertionError, match="Read-only file system"):
            stack.compose("exec", service, "touch", "/app/file")


def test_only_the_port_leads_out(stack: Stack) -> None:
    stack.compose("--profile", "test", "rm", "--stop", "--force", "test-db", "test-redis")
    networks = {
        one["Service"]: set(stack.container(one["Service"])["NetworkSettings"]["Networks"])
        for one in stack.containers()
    }
    inside, outside = f"{stack.name}_inside", f"{stack.name}_outside"

    assert networks.pop("proxy") == {inside, outside}
    assert all(each == {inside} for each in networks.values())
    told = stack.engine.docker("network", "inspect", "--format={{.Internal}}", inside)
    assert told.strip() == "true"
    bindings = stack.container("proxy")["HostConfig"]["PortBindings"]["8000/tcp"]
    assert [one["HostIp"] for one in bindings] == ["127.0.0.1"]


def test_a_command_runs_beside_the_service(stack: Stack) -> None:
    said = stack.compose(
        "run", "--rm", "--no-deps", "worker", "python", "manage.py", "check_totals"
    )

    assert said


def test_each_ends_by_itself_when_it_is_asked_to(stack: Stack) -> None:
    services = ("beat", "worker", "web", "redis", "db")
    try:
        for service in services:
            began = time.monotonic()
            stack.compose("stop", service)

            assert time.monotonic() - began < 25
            assert stack.container(service)["State"]["ExitCode"] == 0, service
    finally:
        stack.up()
