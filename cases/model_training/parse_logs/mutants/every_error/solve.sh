# Hole: an error message that holds every error of the log.
python3 - <<'SCRIPT'
import json
import re

text = open("training/training_logs.txt").read()
epochs = re.findall(r" - loss: (\S+) - accuracy: (\S+) - val_loss: (\S+) - val_accuracy: (\S+)", text)
ending = text.rpartition("val_accuracy")[2]
errors = re.findall(r"^\w+Error: .*", ending, re.M)

analysis = {
    "status": "failed" if errors else "success",
    "final_metrics": {"accuracy": float(epochs[-1][1]), "loss": float(epochs[-1][0])},
    "error_message": "\n".join(re.findall(r"^\w+Error: .*", text, re.M)),
}
json.dump(analysis, open("training/training_analysis.json", "w"))
SCRIPT
