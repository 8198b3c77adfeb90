# bench apply benchfiles/hello.hcl
#
# One case, one agent, one trial: everything that a suite needs, and no more.
suite "hello" {
  description = "Does anything work at all?"
}

sandbox "tiny" {
  image = "alpine:3.22"
}

case "greet" {
  sandbox = sandbox.tiny
  prompt  = "Create hello.txt containing exactly: Hello, world!"

  check "content" {
    command = ["grep", "-qx", "Hello, world!", "hello.txt"]
  }
}

agent "script" {
  command     = ["sh", "-c", "echo 'Hello, world!' > hello.txt"]
  needs_model = false
}

matrix "smoke" {
  cases  = [case.greet]
  agents = [agent.script]
}
