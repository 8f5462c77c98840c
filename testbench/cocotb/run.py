"""Runs a module of this folder on a generated folder: `python run.py FOLDER icarus|verilator BUILD wrapped|driven`."""

import json
import sys
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner


def main(folder, simulator, build, module):
    core = json.loads(next(folder.glob("*.json")).read_text())
    # The behavioural forms of vendor primitives, where there are any.
    takes_impl = any("parameter IMPL" in line for line in (folder / "rtl" / f"{core['top']}.v").open())
    runner = get_runner(simulator)
    runner.build(
        sources=[folder / f for f in core["files"] if f.startswith("rtl/")],
        hdl_toplevel=core["top"],
        parameters={"IMPL": 0} if takes_impl else {},
        build_dir=build,
        timescale=("1ns", "1ps"),
        # Verilator warns of names such as `far`, which it renames in C++.
        build_args=["-g2005"] if simulator == "icarus" else ["-O1", "-Wno-SYMRSVDWORD"],
    )
    results = runner.test(
        hdl_toplevel=core["top"],
        test_module=module,
        build_dir=build,
        test_dir=Path(__file__).resolve().parent,
        results_xml=str(build / "results.xml"),
        extra_env={"BITLATHE_FOLDER": str(folder), "PYTHONWARNINGS": "ignore::DeprecationWarning"},
    )
    total, failed = get_results(results)
    print(f"{total} tests, {failed} failed")
    return 1 if failed or not total else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2], Path(sys.argv[3]).resolve(), sys.argv[4]))
