"""Checks training/training_analysis.json against what the generator knows.

Stricter than the original, whose answers are constants: the log depends on the
seed, may be that of a successful run, and has decoys (a close validation
accuracy, errors that the run recovered from). The whole message is compared,
and messages of other errors must not be in it.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import generate
from judge import Judge

OUTPUT = "training/training_analysis.json"


def same_number(got, want):
    return isinstance(got, (int, float)) and not isinstance(got, bool) and abs(got - want) <= 1e-5


def plain(text):
    return " ".join(text.split()).casefold()


with Judge() as judge:
    _, truth = generate.make_log(judge.seed)

    analysis = judge.read_json(OUTPUT, limit=1024 * 1024)
    judge.require("the analysis is an object", isinstance(analysis, dict))
    for key in ("status", "final_metrics", "error_message"):
        judge.require(f"it has {key}", key in analysis)
    status, metrics, error = analysis["status"], analysis["final_metrics"], analysis["error_message"]
    judge.require("final_metrics is an object", isinstance(metrics, dict))
    judge.require("error_message is a string", isinstance(error, str))

    judge.expect("status", status == truth["status"], f"{status!r}, not {truth['status']!r}")
    for key in ("accuracy", "loss"):
        got = metrics.get(key)
        judge.expect(f"final {key}", same_number(got, truth[key]), f"{got!r}, not {truth[key]}")
    if truth["status"] == "success":
        judge.expect("there is no error message", error.strip() == "", error)
    else:
        judge.expect("error message", plain(truth["message"]) in plain(error), f"{error!r}, not {truth['message']!r}")
        judge.expect("error message is short", len(error) <= 2000, len(error))
    for message in truth["other_messages"]:
        judge.expect("error message has no error that was recovered from", plain(message) not in plain(error), error)
