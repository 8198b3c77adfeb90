# bench apply benchfiles/quickstart.hcl
#
# Four agents on the cases that need nothing but Python: one that does nothing, one
# that knows the solutions, one that can greet the world, and one that asks a model
# what to do. The answers of that model are in a script, so that it needs no key.
suite "quickstart" {
  imports = ["agents/builtin.hcl", "agents/greeter/agent.hcl", "agents/react/agent.hcl"]
}

provider "script" {
  mode   = "scripted"
  script = "benchfiles/scripts/quickstart.txt"
}

model "script" {
  provider = provider.script
  id       = "script-1"
  price    = { input = 1, output = 4 }
}

matrix "light" {
  cases = [
    "cases/smoke/hello_world",
    "cases/model_training/parse_logs",
    "cases/model_implementation/mcts_implementation",
  ]
  agents = [agent.noop, agent.greeter, agent.react, agent.oracle]
  models = [model.script]
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
