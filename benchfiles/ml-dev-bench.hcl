# bench apply benchfiles/ml-dev-bench.hcl
#
# ML-Dev-Bench (arXiv 2502.00964): every case, every agent, every model. A new
# case below cases/ or a new agent below agents/ takes part without an edit here.
suite "ml-dev-bench" {
  imports = ["agents/builtin.hcl", "agents/*/agent.hcl", "!agents/greeter/*", "benchfiles/shared/models.hcl"]

  budget {
    cost = var.budget
  }
}

variable "trials" {
  description = "Trials of each cell."
  default     = 1
}

variable "budget" {
  description = "What the whole run may cost, in USD."
  default     = 100
}

# Nothing is spent on models while a case is broken.
matrix "sanity" {
  cases  = ["cases/*/*"]
  agents = [agent.noop, agent.oracle]
}

gate "cases_are_sound" {
  condition = matrix.sanity.by_agent["oracle"].pass_rate == 1 && matrix.sanity.by_agent["noop"].pass_rate == 0
  message   = "A case is broken: its own solution fails, or doing nothing passes."
}

matrix "leaderboard" {
  needs  = [gate.cases_are_sound]
  cases  = ["cases/*/*"]
  agents = [agent.*]
  models = [model.*]
  trials = var.trials

  exclude { agent = agent.noop }
  exclude { agent = agent.oracle }

  limits {
    wall_clock = "1h"
    cost       = 5
  }
}

report "markdown" { path = "out/leaderboard.md" }
report "json" { path = "out/results.json" }
