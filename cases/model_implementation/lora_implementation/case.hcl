description = "Complete a linear layer with a trainable low-rank update (LoRA) beside its frozen weight."
tags        = ["ml", "model-architecture", "extend_existing_model"]
imports     = ["cases/sandboxes.hcl"]
sandbox     = sandbox.ml
prompt      = file("./prompt.md")
workspace   = "./workspace"
protect     = ["test_lora.py"]

check "layer" {
  command = ["python3", "-I", "/check/check.py"]
  files   = ["./check", "cases/grading"]
  timeout = "5m"
}

solution {
  command = ["sh", "/solution/solve.sh"]
  files   = "./solution"
}

limits {
  wall_clock = "30m"
}
