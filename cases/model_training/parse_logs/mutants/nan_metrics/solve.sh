# Hole: NaN, which a comparison written the wrong way round lets pass.
python3 - <<'SCRIPT'
import json
import re

text = open("training/training_logs.txt").read()
epochs = re.findall(r" - loss: (\S+) - accuracy: (\S+) - val_loss: (\S+) - val_accuracy: (\S+)", text)
ending = text.rpartition("val_accuracy")[2]
errors = re.findall(r"^\w+Error: .*", ending, re.M)

analysis = {
    "status": "failed" if errors else "success",
    "final_metrics": {"accuracy": float("nan"), "loss": float("nan")},
    "error_message": errors[-1] if errors else "",
}
json.dump(analysis, open("training/training_analysis.json", "w"))
SCRIPT
