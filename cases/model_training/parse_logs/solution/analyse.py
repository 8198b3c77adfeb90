import json
import re

EPOCH = re.compile(r"INFO: Epoch (\d+)/\d+ - loss: ([\d.]+) - accuracy: ([\d.]+) - val_loss")

with open("training/training_logs.txt") as log:
    text = log.read()

last = max(EPOCH.finditer(text), key=lambda match: int(match[1]))
# What stopped the run can only come after the last epoch that was completed.
ending = text[last.end() :].split("Traceback (most recent call last):\n")
error = ""
if len(ending) > 1:
    error = next(line for line in ending[-1].splitlines() if not line.startswith(" "))

analysis = {
    "status": "failed" if error else "success",
    "final_metrics": {"accuracy": float(last[3]), "loss": float(last[2])},
    "error_message": error,
}
with open("training/training_analysis.json", "w") as out:
    json.dump(analysis, out, indent=2)
