# What every other agent lies between.

agent "noop" {
  builtin = "noop"
}

agent "oracle" {
  builtin = "oracle"
}
