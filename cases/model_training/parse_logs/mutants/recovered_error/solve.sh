# Hole: the first error of the log, from which the run recovered, taken for its end.
python3 - <<'SCRIPT'
import json
import re

text = open("training/training_logs.txt").read()
epochs = re.findall(r" - loss: (\S+) - accuracy: (\S+) - val_loss: (\S+) - val_accuracy: (\S+)", text)
ending = text.rpartition("val_accuracy")[2]
errors = re.findall(r"^\w+Error: .*", ending, re.M)

analysis = {
    "status": "failed",
    "final_metrics": {"accuracy": float(epochs[-1][1]), "loss": float(epochs[-1][0])},
    "error_message": re.findall(r"^\w+Error: .*", text, re.M)[0],
}
json.dump(analysis, open("training/training_analysis.json", "w"))
SCRIPT
