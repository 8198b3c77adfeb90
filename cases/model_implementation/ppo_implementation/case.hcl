description = "Complete proximal policy optimisation (PPO) for continuous and discrete actions."
tags        = ["reinforcement_learning", "modify_existing_model", "algorithm_implementation"]
imports     = ["cases/sandboxes.hcl"]
sandbox     = sandbox.ml
prompt      = file("./prompt.md")
workspace   = "./workspace"
protect     = ["test_ppo.py"]

check "algorithm" {
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
