"""The profile `observability`, as compose reads it. No image of either program is run here."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fido.processes import PROJECT

COMPOSE = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
ADDED = {"prometheus", "grafana"}


def configuration(*options: str) -> dict[str, Any]:
    """What `docker compose config` makes of the file."""
    command = ["docker", "compose", *options, "config", "--format", "json"]
    try:
        done = subprocess.run(
            command, check=False, cwd=PROJECT, env=os.environ, capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("NOT RUN: there is no docker here")
    if "is not a docker command" in done.stderr:
        pytest.skip("NOT RUN: docker has no compose plugin here")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout)["services"])


def test_the_profile_adds_two_services_and_changes_no_other() -> None:
    without, having = configuration(), configuration("--profile", "observability")

    assert having.keys() - without.keys() == ADDED
    assert {name: having[name] for name in without} == without


def test_only_this_machine_reaches_them_and_they_may_do_little() -> None:
    for name in ADDED:
        service = COMPOSE["services"][name]
        assert service["profiles"] == ["observability"]
        assert [port.startswith("127.0.0.1:") for port in service["ports"]] == [True]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["image"].startswith(f"${{{name.upper()}_IMAGE:-")
        assert service["mem_limit"]


def mounted() -> dict[str, Path]:
    volumes = [each for name in ADDED for each in COMPOSE["services"][name]["volumes"]]
    pairs = [each.split(":")[:2] for each in volumes if each.startswith("./")]
    return {there: PROJECT / here for here, there in pairs}


def test_what_they_read_is_there() -> None:
    places = mounted()
    assert all(path.exists() for path in places.values())

    prometheus = COMPOSE["services"]["prometheus"]
    assert "--config.file=/etc/prometheus/prometheus.yml" in prometheus["command"]
    config = yaml.safe_load((places["/etc/prometheus"] / "prometheus.yml").read_text())
    assert all((places["/etc/prometheus"] / name).exists() for name in config["rule_files"])
    (job,) = config["scrape_configs"]
    assert job["authorization"]["credentials_file"] == f"/run/secrets/{prometheus['secrets'][0]}"
    (target,) = job["static_configs"][0]["targets"]
    host = target.partition(":")[0]
    assert host in COMPOSE["services"]
    assert COMPOSE["x-fido"]["environment"]["ALLOWED_HOSTS"].endswith(f",{host}")


def test_the_dashboard_is_provisioned_with_the_data_that_it_names() -> None:
    provisioning = mounted()["/etc/fido/provisioning"]
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    (provider,) = yaml.safe_load((provisioning / "dashboards/fido.yml").read_text())["providers"]
    (dashboard,) = (there for there in mounted() if there.endswith("dashboard.json"))
    panels = json.loads(mounted()[dashboard].read_text())["panels"]

    assert Path(dashboard).parent == Path(provider["options"]["path"])
    environment = COMPOSE["services"]["grafana"]["environment"]
    assert environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == dashboard
    assert environment["GF_PATHS_PROVISIONING"] == "/etc/fido/provisioning"
    used = {panel["datasource"]["uid"] for panel in panels if panel["type"] != "row"}
    assert used == {source["uid"]}
    assert source["url"] == "http://prometheus:9090"
