"""What FuseSoC runs for a core that asks for the generator `bitlathe`: one argument, a YAML file with the request."""

import subprocess
import sys
from pathlib import Path

# FuseSoC brings PyYAML: run it from the environment of this Python.
import yaml


def main():
    request = yaml.safe_load(Path(sys.argv[1]).read_text())
    parameters = request["parameters"]
    config = Path(request["files_root"], parameters["config"])
    overrides = [word for text in parameters.get("set", []) for word in ("--set", text)]
    return subprocess.run(["bitlathe", "gen", config, "-o", "core", *overrides]).returncode


if __name__ == "__main__":
    sys.exit(main())
