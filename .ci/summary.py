"""Ends the output of `cargo test -- --show-output` with how many tests passed and failed, and what was skipped and why.

Called by `make test`. What passing tests print is left out, but for lines that start with "skipped".
"""

import re
import sys

RESULT = re.compile(r"test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored")

counts = [0, 0, 0]
skipped = []
passing = False
for line in sys.stdin:
    if line.startswith("successes:"):
        passing = True
    elif line.startswith(("failures:", "test result:")):
        passing = False
    if passing:
        if line.startswith("skipped"):
            skipped.append(line.rstrip())
        continue
    sys.stdout.write(line)
    sys.stdout.flush()
    if found := RESULT.match(line):
        counts = [total + int(number) for total, number in zip(counts, found.groups())]

passed, failed, ignored = counts
for reason in sorted(set(skipped)):
    print(reason)
print(f"{passed} tests passed, {failed} failed, {ignored + len(skipped)} skipped")
