description = "Write the forward pass of multi-head latent attention (MLA) with a rotary part and a cache."
tags        = ["ml", "model-architecture", "extend_existing_model"]
imports     = ["cases/sandboxes.hcl"]
sandbox     = sandbox.ml
prompt      = join("\n", [file("./prompt.md"), file("./forward.md")])
workspace   = "./workspace"
protect     = ["test_mla.py"]

# mha.py and utils.py, which mla_implementation_hidden_tests has in common with
# this case. Checks use them as they are here.
setup {
  command = ["cp", "/setup/mha.py", "/setup/utils.py", "."]
  files   = "./given"
}

check "attention" {
  command = ["python3", "-I", "/check/check.py", "--tests", "12", "--ropeless"]
  files   = ["./check", "./given", "cases/grading"]
  timeout = "5m"
}

solution {
  command = ["sh", "/solution/solve.sh"]
  files   = "./solution"
}

limits {
  wall_clock = "45m"
}
