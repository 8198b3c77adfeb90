description = "Write a script that prints a greeting."
tags        = ["basic", "hello_world"]
imports     = ["cases/sandboxes.hcl"]
sandbox     = sandbox.python
prompt      = file("./prompt.md")

check "output" {
  command = ["python3", "-I", "/check/check.py"]
  files   = ["./check", "cases/grading"]
  timeout = "2m"
}

solution {
  command = ["sh", "/solution/solve.sh"]
  files   = "./solution"
}

limits {
  wall_clock = "10m"
}
