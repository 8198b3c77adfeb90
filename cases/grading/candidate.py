"""The candidate's side of Judge.probe: run one function, answer with JSON.

    candidate.py ROOM PROBE_FILE FUNCTION ARGUMENTS_FILE ANSWER_FD

This process belongs to the candidate from the first import on. Nothing that
it says is more than a claim.
"""

import importlib.util
import json
import os
import sys
import traceback


def main():
    room, file, function, arguments, answer = sys.argv[1:]
    sys.path.insert(0, room)
    os.chdir(room)
    with open(arguments) as text:
        given = json.load(text)
    try:
        spec = importlib.util.spec_from_file_location("probe_file", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        reply = {"answer": getattr(module, function)(**given)}
        text = json.dumps(reply)
    except Exception:  # noqa: BLE001, the judge wants to know whatever it was
        text = json.dumps({"error": traceback.format_exc(limit=-4)})
    with os.fdopen(int(answer), "w") as out:
        out.write(text)


main()
