# One case, one agent, no model.
suite "hello" {
  description = "A suite that fits on a screen."
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

  solution {
    command = ["sh", "-c", "echo 'Hello, world!' > hello.txt"]
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
