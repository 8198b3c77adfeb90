description = "Complete the marked parts of a Monte Carlo tree search."
tags        = ["ml", "algorithms", "modify_existing_model"]
imports     = ["cases/sandboxes.hcl"]
sandbox     = sandbox.python
prompt      = file("./prompt.md")
workspace   = "./workspace"
protect     = ["test_mcts.py"]

check "search" {
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
