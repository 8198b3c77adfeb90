description = "Write the forward pass of multi-head latent attention (MLA), with hardly a test to see."
tags        = ["ml", "model-architecture", "extend_existing_model", "hidden_tests"]
imports     = ["cases/sandboxes.hcl"]
sandbox     = sandbox.ml
prompt      = join("\n", [file("./prompt.md"), file("cases/model_implementation/mla_implementation/forward.md")])
workspace   = "./workspace"
protect     = ["test_mla.py"]

# All but the prompt, mla.py and the visible tests is that of mla_implementation.
setup {
  command = ["cp", "/setup/mha.py", "/setup/utils.py", "."]
  files   = "cases/model_implementation/mla_implementation/given"
}

check "attention" {
  command = ["python3", "-I", "/check/check.py", "--tests", "2"]
  files = [
    "cases/model_implementation/mla_implementation/check",
    "cases/model_implementation/mla_implementation/given",
    "cases/grading",
  ]
  timeout = "5m"
}

solution {
  command = ["sh", "/solution/solve.sh"]
  files   = "cases/model_implementation/mla_implementation/solution"
}

limits {
  wall_clock = "45m"
}
