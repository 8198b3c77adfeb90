# bench apply benchfiles/sweep.hcl
#
# What do two parameters change: the temperature of the model, and how long the
# agent may work?
suite "sweep" {
  imports = ["agents/react/agent.hcl", "benchfiles/shared/models.hcl"]
  seed    = 7
}

variable "cases" {
  type    = list(string)
  default = ["cases/debugging/*"]
}

locals {
  minutes = [2, 5, 15]
}

matrix "temperature" {
  cases  = var.cases
  tags   = ["!slow"]
  agents = [agent.react]
  models = [model.qwen]
  trials = 10

  axis "temperature" {
    values = [0, 0.3, 0.7, 1.0]
  }

  params = { temperature = trial.axis.temperature }
}

matrix "patience" {
  cases  = var.cases
  agents = [agent.react]
  models = [model.qwen]
  trials = 10
  after  = [matrix.temperature]

  axis "minutes" {
    values = local.minutes
  }

  limits {
    wall_clock = "${trial.axis.minutes}m"
  }
}

report "markdown" {
  path = "out/sweep.md"
  rows = ["axis.temperature", "axis.minutes"]
}

report "json" {
  path = "out/sweep.json"
}
