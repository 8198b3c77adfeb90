# What a parameter does, and whether more time helps.
suite "sweep" {
  imports = ["agents/react/agent.hcl", "shared/models.hcl"]
  seed    = 7
}

variable "cases" {
  type    = list(string)
  default = ["cases/data/*"]
}

locals {
  minutes = [2, 5, 15]
}

matrix "temperature" {
  cases  = var.cases
  agents = [agent.react]
  models = [model.gpt]
  trials = 10

  axis "temperature" {
    values = [0, 0.3, 0.7, 1.0]
  }

  params = { temperature = trial.axis.temperature }
}

matrix "patience" {
  cases  = var.cases
  agents = [agent.react]
  models = [model.free]
  seeds  = [1, 2, 3]
  after  = [matrix.temperature]

  axis "minutes" {
    values = local.minutes
  }

  exclude {
    axis = { minutes = 5 }
  }

  limits {
    wall_clock = "${trial.axis.minutes}m"
  }
}

report "markdown" {
  path = "out/sweep.md"
  rows = ["axis.temperature", "axis.minutes"]
}
