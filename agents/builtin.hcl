# A floor and a ceiling for every suite: one does nothing, the other runs the
# solution that comes with a case.

agent "noop" {
  builtin = "noop"
}

agent "oracle" {
  builtin = "oracle"
}
