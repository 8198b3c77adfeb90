description = "Repair the shape mismatch between the convolutions and the output layer of an image classifier."
tags        = ["debugging", "ml", "pytorch"]
imports     = ["cases/sandboxes.hcl"]
sandbox     = sandbox.ml
prompt      = file("./prompt.md")
workspace   = "./workspace"
protect     = ["run_model.py"]

check "classifier" {
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
