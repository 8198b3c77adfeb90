# As many mistakes as fit: a place for the fuzzer to start from.
stray = 1

suite "mistakes" {
  imports  = ["agents/*.hcl", "nowhere.hcl", 3, null]
  parallel = -1
}

suite "again" {}

matirx "m" {}

locals {
  a = local.b
  b = "${local.a}${trial.n}"
  c = sandbox.s["memory"]
  d = sandbox[0]
}

sandbox "s" {
  image = null
  build {
    context = "cases"
  }
  memory = "1e999GiB"
}

case "Bad Name" {
  prompt = ""
}

agent "x" {
  command = [for w in trial.prompt : w]
  env     = { "${trial.n}" = null, (trial.case) = 1 }
}

matrix "m" {
  cases  = ["cases/[", "!cases/**", case.x/y, case["a"], null]
  agents = [agent.x, agent["x"], "x", agent[*].x]
  tags   = [null]
  exclude {}
  include {
    cases  = []
    agents = {}
  }
}

report "pdf" {
  path = "../out"
  rows = []
}
