# bench apply benchfiles/quickstart.hcl
#
# Three agents on the cases that need nothing but Python: one that does nothing,
# one that knows the solutions, and one that can greet the world.
suite "quickstart" {
  imports = ["agents/builtin.hcl", "agents/greeter/agent.hcl"]
}

matrix "light" {
  cases = [
    "cases/smoke/hello_world",
    "cases/model_training/parse_logs",
    "cases/model_implementation/mcts_implementation",
  ]
  agents = [agent.noop, agent.greeter, agent.oracle]
}

report "junit" {
  path = "out/junit.xml"
}

report "markdown" {
  path = "out/report.md"
  rows = ["agent"]
}

report "json" {
  path = "out/results.json"
}
