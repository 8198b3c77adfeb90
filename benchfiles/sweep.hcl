# bench plan benchfiles/sweep.hcl
#
# Does temperature matter, and does more time help?
suite "sweep" {
  imports = ["agents/react/agent.hcl", "benchfiles/shared/models.hcl"]
  seed    = 7
}

variable "cases" {
  type    = list(string)
  default = ["cases/debugging/*"]
}

matrix "temperature" {
  cases  = var.cases
  agents = [agent.react]
  models = [model.gpt4o]
  trials = 5

  axis "temperature" { values = [0, 0.5, 1] }

  params = { temperature = trial.axis.temperature }
}

matrix "patience" {
  cases  = var.cases
  agents = [agent.react]
  models = [model.gpt4o]
  trials = 5

  axis "minutes" { values = [5, 15, 60] }

  limits { wall_clock = "${trial.axis.minutes}m" }
}

report "markdown" {
  path     = "out/temperature.md"
  matrices = [matrix.temperature]
  rows     = ["axis.temperature"]
}

report "markdown" {
  path     = "out/patience.md"
  matrices = [matrix.patience]
  rows     = ["axis.minutes"]
}
