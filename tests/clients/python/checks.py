"""What the Python cases share: where the broker is, and checks that say what they found.

A case prints a line `PASS what` or `FAIL what: found` for each check and ends with status 0 only
if there was a check and none failed.
"""

import os
import sys
import time
import traceback
import uuid

KAFKA = os.environ["KAFKA"]

_passed = 0
_failed = 0


def unique(base):
    """A name that no other case and no earlier run has used."""
    return f"{base}-{uuid.uuid4().hex[:10]}"


def check(what, holds, found=""):
    """One check."""
    global _passed, _failed
    if holds:
        _passed += 1
        print(f"PASS {what}", flush=True)
    else:
        _failed += 1
        print(f"FAIL {what}: {found}"[:800], flush=True)
    return bool(holds)


def equal(what, found, wanted):
    """Checks that two values are the same."""
    return check(what, found == wanted, f"found {found!r}, wanted {wanted!r}")


def refused(what, error, call):
    """Checks that a call raises that error, or one below it."""
    try:
        result = call()
    except error:
        return check(what, True)
    except Exception as other:  # the wrong refusal is a finding too
        return check(what, False, f"raised {type(other).__name__}: {other}, wanted {error}")
    return check(what, False, f"was not refused: {result!r}")


def until(condition, seconds=30):
    """Waits until a condition holds; what it came to."""
    end = time.monotonic() + seconds
    while True:
        holds = condition()
        if holds or time.monotonic() > end:
            return holds
        time.sleep(0.05)


def run(case):
    """Runs a case and ends the process with its verdict."""
    try:
        case()
    except BaseException as error:
        traceback.print_exc()
        check("the case runs to its end", False, f"{type(error).__name__}: {error}")
    print(f"{_passed} passed, {_failed} failed", flush=True)
    sys.stderr.flush()
    # Not sys.exit: a client's thread that hangs must not hold the verdict back.
    os._exit(0 if _passed and not _failed else 1)
