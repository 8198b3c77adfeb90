description = "Find out from a long training log how the training ended and with which metrics."
tags        = ["ml_workflow", "training", "logs", "analysis"]
imports     = ["cases/sandboxes.hcl"]
sandbox     = sandbox.python
prompt      = file("./prompt.md")

setup {
  command = ["python3", "-I", "/setup/generate.py"]
  files   = "./setup"
}

check "analysis" {
  command = ["python3", "-I", "/check/check.py"]
  files   = ["./check", "./setup", "cases/grading"]
  timeout = "2m"
}

solution {
  command = ["sh", "/solution/solve.sh"]
  files   = "./solution"
}

limits {
  wall_clock = "20m"
}
