# bench apply benchfiles/full.hcl
#
# Who is best at what: 30 cases, 3 agents, 3 models, 3 trials of each cell.
suite "full" {
  description      = "The whole board."
  required_version = ">= 0.1"
  imports          = ["agents/builtin.hcl", "agents/*/agent.hcl", "benchfiles/shared/models.hcl"]
  parallel         = 8

  budget {
    cost       = 120 # USD, for all of it
    wall_clock = "6h"
  }
}

variable "trials" {
  type        = number
  description = "How often each cell is tried: 3 gives an order, 10 gives intervals."
  default     = 3

  validation {
    condition     = var.trials >= 1 && var.trials <= 50
    error_message = "trials must be between 1 and 50, not ${var.trials}."
  }
}

locals {
  cases = ["cases/*/*", "!cases/gpu/*"]
}

# No money is spent while a case is broken.
matrix "sanity" {
  cases  = local.cases
  agents = [agent.oracle, agent.noop]
}

gate "cases_are_sound" {
  condition = (
    matrix.sanity.by_agent["oracle"].pass_rate == 1 &&
    matrix.sanity.by_agent["noop"].pass_rate == 0
  )
  message = "The solution of a case fails, or doing nothing passes it."
}

matrix "leaderboard" {
  needs  = [gate.cases_are_sound]
  cases  = local.cases
  agents = [agent.react, agent.aider, agent.openhands]
  models = [model.sonnet, model.gpt, model.qwen]
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

report "markdown" {
  path = "out/leaderboard.md"
}

report "junit" {
  path = "out/junit.xml"
}

report "json" {
  path = "out/results.json"
}
