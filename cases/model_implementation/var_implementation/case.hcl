description = "Complete inference and training pass of a visual autoregressive model (VAR), which predicts images scale by scale."
tags        = ["ml", "model-architecture", "extend_existing_model"]
imports     = ["cases/sandboxes.hcl"]
sandbox     = sandbox.ml
prompt      = file("./prompt.md")
workspace   = "./workspace"
protect     = ["basic_var.py", "basic_vae.py", "helpers.py", "quant.py", "test_var.py", "vqvae.py"]

check "model" {
  command = ["python3", "-I", "/check/check.py"]
  files   = ["./check", "cases/grading"]
  timeout = "5m"
}

solution {
  command = ["sh", "/solution/solve.sh"]
  files   = "./solution"
}

limits {
  wall_clock = "45m"
}
