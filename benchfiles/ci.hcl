# bench apply benchfiles/ci.hcl
#
# For pull requests: a cheap smoke test first, and the rest only if it passes.
suite "ci" {
  imports = ["agents/react/agent.hcl", "benchfiles/shared/models.hcl"]

  budget {
    cost       = 10
    wall_clock = "1h"
  }
}

matrix "smoke" {
  cases      = ["cases/smoke/*"]
  agents     = [agent.react]
  models     = [model.gemini]
  max_errors = 1
}

gate "healthy" {
  condition = matrix.smoke.pass_rate == 1
  message   = "Only ${matrix.smoke.passed} of ${matrix.smoke.trials} smoke trials passed; something basic is broken."
}

matrix "pr" {
  needs  = [gate.healthy]
  cases  = ["cases/*/*", "!cases/smoke/*"]
  agents = [agent.react]
  models = [model.gemini]
  trials = 3

  limits { wall_clock = "10m" }
}

gate "quality" {
  condition = matrix.pr.pass_rate >= 0.5
  message   = "The pass rate fell below one half."
}

report "junit" { path = "out/junit.xml" }
report "markdown" { path = "out/summary.md" }
