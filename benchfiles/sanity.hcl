# bench apply benchfiles/sanity.hcl
#
# Is every case sound? Its own solution must pass, and doing nothing must fail.
suite "sanity" {
  imports = ["agents/builtin.hcl"]
}

matrix "sanity" {
  cases  = ["cases/*/*"]
  agents = [agent.noop, agent.oracle]
}

report "markdown" {
  path = "out/sanity.md"
  rows = ["case"]
}
