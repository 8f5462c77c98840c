"""Lints Verilog with slang in strict mode: slang_lint.py TOP FILE...

Diagnostics go to stderr as slang prints them. Exit status: 0 analysed (with or without diagnostics), 2 not analysed.
"""

import shlex
import sys

from pyslang.driver import Driver

top, files = sys.argv[1], sys.argv[2:]
driver = Driver()
driver.addStandardArgs()
options = ["slang", "--color-diagnostics=false", "--error-limit=0", "-Wextra", "-Wconversion", "--top", top, *files]
if not driver.parseCommandLine(shlex.join(options)) or not driver.processOptions():
    sys.exit(2)
driver.parseAllSources()
driver.reportParseDiags()
driver.reportCompilation(driver.createCompilation(), True)
driver.reportDiagnostics(True)
