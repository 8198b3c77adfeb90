# bench apply benchfiles/ci.hcl
#
# For every pull request: a few cheap trials first, and the rest if they go well.
suite "ci" {
  imports = ["agents/react/agent.hcl", "benchfiles/shared/models.hcl"]

  budget {
    cost       = 5
    wall_clock = "25m"
  }
}

variable "baseline" {
  type        = string
  description = "What the main branch gave the last time."
  default     = "benchfiles/baselines/main.json"
}

matrix "smoke" {
  cases      = ["cases/*/*"]
  tags       = ["smoke"]
  agents     = [agent.react]
  models     = [model.gpt]
  max_errors = 2
}

gate "healthy" {
  condition = matrix.smoke.pass_rate >= 0.9
  message   = "Only ${format("%.0f%%", 100 * matrix.smoke.pass_rate)} of the smoke trials pass; something simple is broken."
}

matrix "pr" {
  needs    = [gate.healthy]
  cases    = ["cases/*/*", "!cases/gpu/*"]
  tags     = ["!slow"]
  agents   = [agent.react]
  models   = [model.gpt, model.sonnet]
  trials   = 3
  baseline = var.baseline

  # too expensive here, but for one that tells whether it works at all
  exclude {
    case  = "cases/data/*"
    model = model.sonnet
  }

  include {
    cases  = ["cases/data/c1"]
    agents = [agent.react]
    models = [model.sonnet]
    trials = 1
  }
}

gate "quality" {
  condition = matrix.pr.pass_rate >= 0.70
  message   = "Fewer trials pass than should."
}

gate "no_regression" {
  condition = length(matrix.pr.vs_baseline.regressed) == 0
  message   = "Worse than on the main branch: ${join(", ", matrix.pr.vs_baseline.regressed)}."
}

gate "price" {
  severity  = "warning"
  condition = matrix.pr.cost <= 1.10 * matrix.pr.vs_baseline.cost
  message   = "This change costs a tenth more, or worse."
}

report "junit" {
  path = "out/junit.xml"
}

report "json" {
  path = "out/results.json"
}

report "markdown" {
  path = "out/summary.md"
}
