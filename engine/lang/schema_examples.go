package lang

// The examples of the language reference, block by block. A test loads each of
// them, in a project that has the files and blocks which it names.

const exampleSuite = `
suite "nightly" {
  description      = "Every case, once a night."
  required_version = ">= 0.1, < 1"
  imports          = ["agents/*/agent.hcl", "benchfiles/shared/models.hcl"]
  parallel         = 8
  seed             = 7
  locks            = { license = 2 }

  budget {
    cost       = 20
    wall_clock = "6h"
  }
}
`

const exampleVariable = `
variable "trials" {
  type        = number
  default     = 3
  description = "Trials of each cell."

  validation {
    condition     = var.trials >= 1 && var.trials <= 50
    error_message = "trials must be between 1 and 50, not ${var.trials}."
  }
}
`

const exampleLocals = `
locals {
  cases  = ["cases/*/*", "!cases/gpu/*"]
  budget = 0.50 * var.trials
  label  = "${suite.name}, ${var.trials} trials, ${sandbox.python.memory}"
}
`

const exampleSecret = `
secret "openrouter" { env = "OPENROUTER_API_KEY" }

secret "company" {
  file     = "keys/company.txt"
  optional = true
}
`

const exampleProvider = `
provider "openrouter" {
  base_url = "https://openrouter.ai/api/v1"
  api_key  = secret.openrouter
  headers  = { "X-Title" = suite.name, "X-Team" = secret.company }
  parallel = 4

  rate {
    requests_per_minute = 200
    tokens_per_minute   = 400000
  }
}

provider "recorded" {
  mode     = "replay"
  cassette = "cassettes/smoke"
}
`

const exampleModel = `
model "qwen" {
  provider = provider.openrouter
  id       = "qwen/qwen3-coder"
  params   = { temperature = 0.2, max_tokens = 8192 }
  price    = { input = 0.30, output = 1.20 }
}
`

const exampleAgent = `
agent "aider" {
  install = "agents/aider/install.sh"
  command = ["aider", "--yes-always", "--model", "openai/${trial.model.id}", "--message-file", trial.prompt_file]
  version = ["aider", "--version"]

  env = {
    OPENAI_API_BASE = trial.gateway.url
    OPENAI_API_KEY  = trial.gateway.token
  }

  artifacts = ["/root/.aider/**"]

  limits {
    wall_clock = "20m"
  }
}

agent "oracle" { builtin = "oracle" }
`

const exampleSandbox = `
sandbox "python" {
  image  = "python:3.13-slim"
  cpus   = 2
  memory = "4GiB"
  env    = { PYTHONDONTWRITEBYTECODE = 1 }

  mount {
    source = "data/small"
    target = "/data"
  }

  service "db" {
    image = "postgres:17"
    env   = { POSTGRES_PASSWORD = "for tests only" }

    ready {
      command = ["pg_isready", "-U", "postgres"]
      timeout = "30s"
    }
  }

  timeouts {
    setup = "10m"
  }
}
`

const exampleCase = `
# cases/debugging/off_by_one/case.hcl
description = "A paginator loses the last row."
tags        = ["smoke", "fast"]
imports     = ["cases/sandboxes.hcl"]
sandbox     = sandbox.python
prompt      = file("./prompt.md")
workspace   = "./workspace"
protect     = ["tests/**"]

setup {
  command = ["python3", "/setup/make_rows.py"]
  files   = "./setup"
}

check "tests" {
  command = ["python3", "-m", "pytest", "-q", "/check"]
  files   = "./check"
  timeout = "1m"
}

solution {
  command = ["sh", "/solution/solve.sh"]
  files   = "./solution"
}

limits {
  wall_clock = "5m"
}
`

const exampleMatrix = `
matrix "sweep" {
  cases  = ["cases/**", "!cases/gpu/**"]
  tags   = ["smoke", "!slow"]
  agents = [agent.aider, agent.oracle]
  models = [model.qwen, model.sonnet]
  trials = 3

  axis "temperature" {
    values = [0, 0.5, 1]
  }

  params = { temperature = trial.axis.temperature }

  # too dear at every temperature, but for one canary
  exclude {
    case  = "cases/debugging/*"
    model = model.sonnet
  }

  include {
    cases  = ["cases/debugging/off_by_one"]
    agents = [agent.aider]
    models = [model.sonnet]
    trials = 1
  }

  limits {
    wall_clock = trial.case == "debugging/off_by_one" ? "5m" : "15m"
    cost       = 0.50
  }

  retry {
    attempts = 3
  }

  max_errors = "5%"
}
`

const exampleGate = `
gate "quality" {
  condition = matrix.sweep.pass_rate >= 0.7 && matrix.sweep.by_agent["oracle"].pass_rate == 1
  message   = "Only ${format("%.0f%%", 100 * matrix.sweep.pass_rate)} of the trials passed."
}

gate "price" {
  severity  = "warning"
  condition = matrix.sweep.cost <= 5
}
`

const exampleReport = `
report "markdown" {
  path     = "out/sweep.md"
  matrices = [matrix.sweep]
  rows     = ["agent", "axis.temperature"]
}

report "junit" { path = "out/junit.xml" }
`
