"""Every environment variable that the deploy files give to Porchlight is one that it takes."""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
FILES = ["cluster/start", "docker/Dockerfile", "docker/compose.yaml", "systemd/porchlight.service"]
FILES += [f"helm/porchlight/templates/{path.name}" for path in (HERE / "helm/porchlight/templates").iterdir()]
SOURCES = HERE.parent / "crates/porchlight/src"

sources = "".join(path.read_text() for path in SOURCES.rglob("*.rs"))
variables = set(re.findall(r'"(PORCHLIGHT_[A-Z_]+)"', sources))
unknown = [
    f"deploy/{file}: {name} is no variable of Porchlight"
    for file in FILES
    for name in sorted(set(re.findall(r"\bPORCHLIGHT_[A-Z_]+", (HERE / file).read_text())) - variables)
]
for problem in unknown:
    print(problem, file=sys.stderr)
sys.exit(1 if unknown else 0)
