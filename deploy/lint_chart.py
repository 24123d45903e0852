"""Lints and renders the chart with Helm's engine, and holds what comes out to Kubernetes's schemas.

NATS's own chart is not fetched: a chart without resources stands in for it.
"""

import pathlib
import re
import shutil
import sys
import tempfile
import tomllib

import helm_python
import kubernetes_validate
import yaml

HERE = pathlib.Path(__file__).parent
CHART = HERE / "helm/porchlight"
# The oldest that the chart takes, and a new one.
KUBERNETES = ["1.30", "1.37"]
# Resources of operators, for which Kubernetes has no schema.
FOREIGN = {"ServiceMonitor", "PrometheusRule"}

EVERYTHING = {
    "config": "access_log = true\n\n[[auth.api_key]]\nname = \"a\"\n",
    "imagePullSecrets": ["registry"],
    "image": {"tag": "1.2.3"},
    "https": {"existingSecret": "https"},
    "log": {
        "credentials": {"existingSecret": "nats"},
        "tls": {"enabled": True, "caSecret": "nats-ca", "clientSecret": "nats-client"},
    },
    "extraEnv": [{"name": "PORCHLIGHT_LOG", "value": "debug"}],
    "service": {"type": "LoadBalancer", "annotations": {"a": "b"}},
    "ingress": {
        "enabled": True,
        "className": "nginx",
        "annotations": {"a": "b"},
        "hosts": ["presence.example.org"],
        "tls": [{"hosts": ["presence.example.org"], "secretName": "tls"}],
    },
    "serviceAccount": {"annotations": {"a": "b"}},
    "threads": 2,
    "podAnnotations": {"a": "b"},
    "podLabels": {"a": "b"},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "networkPolicy": {"enabled": True, "from": [{"namespaceSelector": {}}]},
}
OWN_NATS = {"nats": {"enabled": False}, "log": {"servers": ["nats.example:4222"], "replicas": 1}}
URL_IN_A_SECRET = {"nats": {"enabled": False}, "log": {"existingSecret": "log"}}

# Values that have to be refused, and what the refusal has to name.
REFUSED = [
    ({"nats": {"enabled": False}}, "log.servers"),
    ({"log": {"replicas": 2}}, "replicas"),
    ({"log": {"cells": 257}}, "cells"),
    ({"log": {"prefix": "a.b"}}, "prefix"),
    ({"log": {"servers": ["nats"]}}, "servers"),
    ({"replicas": 3}, "replicas"),
    ({"ingress": {"enabled": True}}, "ingress.hosts"),
]

problems = []


def check(holds, problem):
    if not holds:
        problems.append(problem)


def with_stand_in(folder):
    """A copy of the chart that has all its dependencies."""
    copy = pathlib.Path(folder) / "porchlight"
    shutil.copytree(CHART, copy, ignore=shutil.ignore_patterns("charts", "Chart.lock"))
    for dependency in yaml.safe_load((copy / "Chart.yaml").read_text())["dependencies"]:
        stand_in = copy / "charts" / dependency["name"]
        (stand_in / "templates").mkdir(parents=True)
        stand_in.joinpath("Chart.yaml").write_text(
            f"apiVersion: v2\nname: {dependency['name']}\nversion: {dependency['version']}\nicon: none\n"
        )
        stand_in.joinpath("values.yaml").write_text("{}\n")
        stand_in.joinpath("templates/_helpers.tpl").write_text(
            '{{- define "nats.fullname" -}}{{ .Release.Name }}-nats{{- end }}\n'
        )
    return copy


def render(chart, values):
    """The resources, by kind."""
    with helm_python.Chart.load(chart) as loaded:
        loaded.validate_schema(values)
        rendered = loaded.render(values, name="demo", namespace="presence")
    resources = {}
    for path, text in rendered.items():
        if path.endswith(".yaml"):
            for resource in yaml.safe_load_all(text):
                if resource:
                    resources[resource["kind"]] = resource
    return resources


def check_against_schemas(name, resources):
    for kind, resource in resources.items():
        for version in [] if kind in FOREIGN else KUBERNETES:
            try:
                kubernetes_validate.validate(resource, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                problems.append(f"{name}: {kind}, Kubernetes {version}: {error.message}")


def log_url(resources):
    container = resources["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    return next(one for one in container["env"] if one["name"] == "PORCHLIGHT_LOG_URL").get("value")


def check_names():
    """Every value that a template names is there, and every value is named by a template."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    templates = "".join(path.read_text() for path in (CHART / "templates").iterdir())
    for path in sorted(set(re.findall(r"\.Values\.([A-Za-z_.]+)", templates))):
        at = values
        for part in path.split("."):
            check(isinstance(at, dict) and part in at, f"templates name .Values.{path}, values.yaml does not have it")
            at = at.get(part, {}) if isinstance(at, dict) else {}
    for key in values:
        check(f".Values.{key}" in templates, f"values.yaml has {key}, which no template takes")


def check_version():
    workspace = tomllib.loads((HERE.parent / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    check(chart == workspace, f"appVersion of Chart.yaml is {chart}, the program's version is {workspace}")


def check_chart(chart):
    report = helm_python.lint(chart, strict=True)
    for message in report["messages"]:
        check(message["severity"] < 2, f"helm lint: {message['path']}: {message['error']}")
    for error in report["errors"]:
        problems.append(f"helm lint: {error}")

    rendered = {
        "as it is": render(chart, {}),
        "everything": render(chart, EVERYTHING),
        "a NATS of one's own": render(chart, OWN_NATS),
        "the URL in a Secret": render(chart, URL_IN_A_SECRET),
    }
    for name, resources in rendered.items():
        check_against_schemas(name, resources)
    kinds = {"ConfigMap", "Deployment", "PodDisruptionBudget", "Service", "ServiceAccount"}
    check(set(rendered["as it is"]) == kinds, f"as it is it makes {sorted(rendered['as it is'])}")
    kinds |= {"Ingress", "NetworkPolicy", "PrometheusRule", "ServiceMonitor"}
    check(set(rendered["everything"]) == kinds, f"with everything it makes {sorted(rendered['everything'])}")

    rules = yaml.safe_load((HERE / "prometheus/alerts.yml").read_text())
    made = rendered["everything"].get("PrometheusRule", {}).get("spec")
    check(made == rules, f"the rules of the chart are not those of prometheus/alerts.yml: {made}")

    pods = [f"demo-nats-{i}.demo-nats-headless" for i in range(3)]
    wanted = {
        "as it is": f"jetstream://{','.join(f'{pod}:4222' for pod in pods)}/?replicas=3&cells=16&prefix=porchlight"
        f"&monitoring={','.join(f'http://{pod}:8222' for pod in pods)}",
        "a NATS of one's own": "jetstream://nats.example:4222/?replicas=1&cells=16&prefix=porchlight",
        "the URL in a Secret": None,
    }
    for name, url in wanted.items():
        check(log_url(rendered[name]) == url, f"{name}: the log URL is {log_url(rendered[name])}, not {url}")

    for values, name in REFUSED:
        try:
            render(chart, values)
            problems.append(f"{values} is taken")
        except helm_python.HelmError as error:
            check(name in str(error), f"{values} is refused without a word of {name}: {error}")


with tempfile.TemporaryDirectory() as folder:
    check_names()
    check_version()
    check_chart(with_stand_in(folder))
for problem in problems:
    print(problem, file=sys.stderr)
sys.exit(1 if problems else 0)
