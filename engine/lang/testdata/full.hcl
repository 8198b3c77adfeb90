# A leaderboard: everything against everything, once the cases are known to be sound.
suite "full" {
  description      = "Every case, every agent, every model."
  required_version = ">= 0.1"
  imports          = ["agents/builtin.hcl", "agents/*/agent.hcl", "shared/models.hcl"]
  parallel         = 8

  budget {
    cost       = 120 # USD, for all of it
    wall_clock = "6h"
  }
}

variable "trials" {
  type        = number
  description = "Trials of each cell."
  default     = 3

  validation {
    condition     = var.trials >= 1 && var.trials <= 50
    error_message = "trials must be between 1 and 50, not ${var.trials}."
  }
}

locals {
  cases = ["cases/*/*", "!cases/gpu/*"]
}

# Spend nothing on models while a case is broken.
matrix "sanity" {
  cases  = local.cases
  agents = [agent.oracle, agent.noop]
}

gate "sound" {
  condition = (
    matrix.sanity.by_agent["oracle"].pass_rate == 1 &&
    matrix.sanity.by_agent["noop"].pass_rate == 0
  )
  message = "A case is broken: its own solution fails, or doing nothing passes."
}

matrix "leaderboard" {
  needs  = [gate.sound]
  cases  = local.cases
  agents = [agent.react]
  models = [model.gpt]
  trials = var.trials

  limits {
    wall_clock = "10m"
    tokens     = 400000
    cost       = 0.75
    turns      = 60
  }

  retry {
    attempts = 3
    on       = ["image", "sandbox", "provider"]
    backoff  = "5s"
  }

  max_errors = 20
}

report "markdown" { path = "out/leaderboard.md" }
report "junit" { path = "out/junit.xml" }
report "json" { path = "out/results.json" }
