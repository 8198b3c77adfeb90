description = "Repair a Vision Transformer package, which cannot even be imported, and finish its dynamic patch size."
tags        = ["debugging", "ml", "pytorch", "vision", "transformers"]
imports     = ["cases/sandboxes.hcl"]
sandbox     = sandbox.ml
prompt      = file("./prompt.md")
workspace   = "./workspace"
protect     = ["test_vision_transformer.py"]

check "transformer" {
  command = ["python3", "-I", "/check/check.py"]
  files   = ["./check", "cases/grading"]
  timeout = "10m"
}

solution {
  command = ["sh", "/solution/solve.sh"]
  files   = "./solution"
}

limits {
  wall_clock = "30m"
}
