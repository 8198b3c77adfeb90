# Thinks, runs a command, looks at what it printed, and starts over: the plainest
# agent there is. It needs nothing in the sandbox but a shell.

agent "react" {
  builtin = "react"
}
