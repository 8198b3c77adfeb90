# Everything that a suite can say, in one file.
suite "whole" {
  description      = "all of it"
  required_version = ">= 0.1, < 99"
  parallel         = 2
  seed             = 7
  results_dir      = "results"
}

variable "trials" {
  type        = number
  default     = 2
  description = "How often"
}

locals {
  label = "${suite.name}-${var.trials}"
  tests = ["grep", "-q"]
}

sandbox "box" {
  image   = "debian:trixie-slim"
  cpus    = 0.5
  memory  = "512MiB"
  pids    = 64
  network = "none"
  env     = { A = local.label }
  user    = "1001:1002"
  workdir = "/home/agent"
  timeouts {
    setup = "90s"
  }
}

case "group/one" {
  description = "in ${sandbox.box.memory}"
  tags        = ["quick", "b", "quick"]
  prompt      = <<-END
    Say hello
      to ${upper("all")}.
  END
  sandbox     = sandbox.box
  setup {
    command = ["true"]
  }
  check "file" {
    command = concat(local.tests, ["hello", "hello.txt"])
    timeout = "1m"
    weight  = 2
    env     = { LEVEL = 3 }
  }
  solution {
    command = ["touch", "hello.txt"]
  }
  limits {
    wall_clock = "10m"
  }
}

agent "echo" {
  command     = ["echo", trial.prompt, "${trial.case}/${trial.agent}/${trial.n}", trial.seed, "$${HOME}"]
  env         = { WHERE = trial.workspace, PROMPT = trial.prompt_file }
  needs_model = false
}

agent "oracle" {
  builtin = "oracle"
  limits {
    wall_clock = "1h"
  }
}

matrix "m" {
  cases    = [case["group/one"]]
  agents   = [agent.echo]
  trials   = var.trials
  parallel = 1
  tags     = ["quick", "!slow"]
  limits {
    wall_clock = "2m"
  }
  include {
    cases  = [case["group/one"]]
    agents = [agent.oracle]
    trials = 1
  }
}

report "markdown" {
  path     = "out/report.md"
  rows     = ["case", "agent"]
  matrices = [matrix.m]
}

report "json" {
  path = "out/results.json"
}
