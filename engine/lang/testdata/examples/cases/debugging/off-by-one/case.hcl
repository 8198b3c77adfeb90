description = "The last page of a list is cut short."
tags        = ["smoke", "fast"]
imports     = ["cases/sandboxes.hcl"]
sandbox     = sandbox.python
prompt      = file("./prompt.md")
workspace   = "./workspace"

check "tests" {
  command = ["python", "-m", "pytest", "-q", "/check"]
  files   = "./check"
  timeout = "1m"
}

solution {
  command = ["sh", "/solution/solve.sh"]
  files   = "./solution"
}

limits {
  wall_clock = "5m"
}
