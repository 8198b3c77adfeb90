# A cheap smoke test first; the rest only if it passes.
suite "ci" {
  imports = ["agents/react/agent.hcl", "shared/models.hcl"]

  budget {
    tokens     = 5000000
    wall_clock = "25m"
  }
}

variable "baseline" {
  type    = string
  default = "old.json"
}

variable "token" {
  type      = string
  default   = "not to be seen"
  sensitive = true
}

matrix "smoke" {
  cases      = ["cases/*/*"]
  tags       = ["smoke"]
  agents     = [agent.react]
  models     = [model.gpt]
  max_errors = "5%"
}

gate "healthy" {
  condition = matrix.smoke.pass_rate >= 0.9
  message   = "Smoke pass rate is ${format("%.0f%%", 100 * matrix.smoke.pass_rate)}."
}

matrix "pr" {
  needs    = [gate.healthy]
  cases    = ["cases/**", "!cases/a"]
  agents   = [agent.react]
  models   = [model.gpt, model.free]
  trials   = 3
  baseline = var.baseline
  if       = matrix.smoke.passed > 0

  exclude {
    case  = "cases/data/*"
    model = model.free
  }

  include {
    cases  = ["cases/data/one"]
    agents = [agent.react]
    models = [model.free]
    trials = 1
  }
}

gate "no_regression" {
  condition = length(matrix.pr.vs_baseline.regressed) == 0
  message   = "Worse than before: ${join(", ", matrix.pr.vs_baseline.regressed)}."
}

gate "price" {
  severity         = "warning"
  allow_incomplete = true
  condition        = matrix.pr.tokens.total <= 1.10 * 100000
}

report "junit" { path = "out/junit.xml" }
